"""``python -m tests.load.otlp_fuzz``: a long run of odd requests, with the memory they leave."""

import asyncio
import tempfile
import time
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

ROUND = 2_000
console = Console()


CLIENTS = 16  # whose spans share transactions


async def measure(url: str, folder: Path, count: int, until: float) -> int:
    """How many answers must not be; a line after each round. ``until`` is a monotonic moment (s)"""
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    statuses: Counter[int] = Counter()
    wrong, number = 0, 1
    async with installed(database, folder, LOG_JSON="true") as home:
        await asyncio.to_thread(fuzz, home, number, ROUND, CLIENTS)
        before, began = resident_mib(home), time.monotonic()
        while statuses.total() < count and time.monotonic() < until:
            number += 1
            seen = await asyncio.to_thread(fuzz, home, number, ROUND, CLIENTS)
            statuses += seen.statuses
            wrong += len(seen.wrong)
            for each in seen.wrong[:10]:
                console.print(each)
            rate = statuses.total() / (time.monotonic() - began)
            grown = resident_mib(home) - before
            told = f"{rate:.0f}/s, {wrong} wrong, {grown:+.0f} MiB"
            console.print(f"{statuses.total():,}: {dict(sorted(statuses.items()))}, {told}")
    await database.dispose()
    return wrong


def main(
    requests: Annotated[int, typer.Option(min=1, help="In all.")] = 1_000_000,
    minutes: Annotated[float, typer.Option(min=0.1, help="At most, after the start.")] = 600,
) -> None:
    """Mutated bodies in both encodings, packed or not, and bombs; fails where one gets a 5xx."""
    until = time.monotonic() + 60 * minutes
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        a_database(Path(name)) as url,
    ):
        wrong = asyncio.run(measure(url, Path(name), requests, until))
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
