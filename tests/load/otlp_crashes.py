"""``python -m tests.load.otlp_crashes``: kill what holds spans right after it acknowledged them."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.otlp.crashes import Victim, cycle
from tests.outage import MortalPostgres, mortal_postgres
from tests.server import installed

console = Console()


async def measure(mortal: MortalPostgres, folder: Path, cycles: int) -> None:
    database = Database.from_settings(settings_for(mortal.embedded.url()))
    await migrate(database.engine)
    victims = list(Victim)
    kept, lost = dict.fromkeys(victims, 0), dict.fromkeys(victims, 0)
    async with installed(database, folder) as home:
        for number in range(cycles):
            victim = victims[number % len(victims)]
            acknowledged, missing = await cycle(victim, home, mortal, number)
            kept[victim] += acknowledged
            lost[victim] += missing
    await database.dispose()
    for victim in victims:
        console.print(f"{victim}: {kept[victim]:,} traces acknowledged, {lost[victim]} lost")


def main(
    cycles: Annotated[int, typer.Option(min=1, help="Deaths, of each victim in turn.")] = 100,
) -> None:
    """Web process, backend and database by turns, with SIGKILL."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this is root
        with mortal_postgres(folder / "database") as mortal:
            mortal.embedded.ensure_database()
            asyncio.run(measure(mortal, folder, cycles))


if __name__ == "__main__":
    typer.run(main)
