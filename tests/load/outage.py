"""``python -m tests.load.outage``: what clients see while the database is gone, and after it."""

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.outage import Answered, Load, MortalPostgres, Outage, mortal_postgres
from tests.server import Installation, installed

PATHS = ("/api/v1/agents", "/api/v1/executions")
CLIENTS = 12
PHASE_S = 3.0
console = Console()


def counted(answers: list[Answered]) -> str:
    found = Counter(answer.response.status_code for answer in answers)
    return ", ".join(f"{count} x {status}" for status, count in sorted(found.items()))


def longest_s(answers: list[Answered]) -> str:
    return f"{max((answer.took_s for answer in answers), default=0):.2f} s"


async def row_of(home: Installation, mortal: MortalPostgres, outage: Outage) -> list[str]:
    async with home.api_client() as client:
        load = Load(client, PATHS)
        load.start(CLIENTS)
        await load.until_all_are({200}, CLIENTS)
        gone_at = time.monotonic()
        await asyncio.to_thread(mortal.begin, outage)
        await asyncio.sleep(PHASE_S)
        await asyncio.to_thread(mortal.end, outage)
        back_at = time.monotonic()
        await asyncio.sleep(PHASE_S)
        await load.stop()
    down, after = load.between(gone_at, back_at), load.between(back_at, float("inf"))
    well = [answer.at for answer in after if answer.response.status_code == 200]
    again = f"{min(well) - back_at:.2f} s" if well else "not yet"
    return [outage.value, counted(down), longest_s(down), again, longest_s(after)]


async def measure(mortal: MortalPostgres, folder: Path) -> Table:
    database = Database.from_settings(settings_for(mortal.embedded.url()))
    await migrate(database.engine)
    table = Table("database", "answers meanwhile", "longest", "first 200 after", "longest after")
    async with installed(database, folder) as home:
        for outage in Outage:
            table.add_row(*await row_of(home, mortal, outage))
    await database.dispose()
    return table


def main() -> None:
    """Stop, kill and freeze PostgreSQL under load, and let it come back."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this is root
        with mortal_postgres(folder / "database") as mortal:
            mortal.embedded.ensure_database()
            console.print(asyncio.run(measure(mortal, folder)))


if __name__ == "__main__":
    typer.run(main)
