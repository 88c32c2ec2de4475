"""``python -m tests.load.jobs``: workers that die again and again, and what became of the jobs."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.crashes import Account, crash_until_done
from tests.crashing_worker import LEASE_S
from tests.load.__main__ import a_database

console = Console()


async def crash(url: str, jobs: int, deaths: int) -> Account:
    database = Database.from_settings(settings_for(url))
    try:
        await migrate(database.engine)
        return await crash_until_done(database, jobs, deaths)
    finally:
        await database.dispose()


def main(
    deaths: Annotated[int, typer.Option(min=1)] = 500,
    jobs: Annotated[int, typer.Option(min=1, help="So many are open at a time.")] = 100,
) -> None:
    """Kill workers at four points of a job until they died so often."""
    with tempfile.TemporaryDirectory(prefix="load-") as name, a_database(Path(name)) as url:
        started = time.perf_counter()
        account = asyncio.run(crash(url, jobs, deaths))
        took_s = time.perf_counter() - started
    console.print(f"deaths: {dict(account.deaths)} ({account.deaths.total()}) in {took_s:.0f} s")
    console.print(f"jobs: {dict(account.summary)}")
    leases = account.longest_silence_s / LEASE_S
    console.print(f"a claimed job was without a sign of life for {leases:.1f} leases at most")


if __name__ == "__main__":
    typer.run(main)
