"""``python -m tests.load.otlp_fuzz``: a long run of odd requests, with the memory they leave."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.load.__main__ import a_database
from tests.otlp.fuzzing import fuzz, resident_mib
from tests.server import installed

ROUND = 20_000
console = Console()


async def measure(url: str, folder: Path, count: int) -> None:
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    statuses: Counter[int] = Counter()
    async with installed(database, folder, LOG_JSON="true") as home:
        await asyncio.to_thread(fuzz, home, 1, 2_000)
        before = resident_mib(home)
        for number in range(2, 2 + max(1, count // ROUND)):
            seen = await asyncio.to_thread(fuzz, home, number, min(count, ROUND))
            statuses += seen.statuses
            for wrong in seen.wrong[:10]:
                console.print(wrong)
            grown = resident_mib(home) - before
            console.print(f"{statuses.total():,}: {dict(statuses)}, {grown:+.0f} MiB")
    await database.dispose()


def main(
    requests: Annotated[int, typer.Option(min=1, help="In all.")] = 1_000_000,
) -> None:
    """Mutated bodies in both encodings, packed or not, and bombs."""
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        a_database(Path(name)) as url,
    ):
        asyncio.run(measure(url, Path(name), requests))


if __name__ == "__main__":
    typer.run(main)
