"""``python -m tests.load``: both servers, one worker each, in short rounds by turns.

A ratio says more than a rate: what else the machine does slows both.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from tests.load.client import Bounds, Round
from tests.load.stock import Operation, Stock, fill, operations
from tests.server import SECRET, ServerProcess

console = Console()


class BareServer(ServerProcess):
    """The app of ``bare.py``, as one uvicorn worker."""

    def launch(self) -> subprocess.Popen[bytes]:
        return self.started(
            *(sys.executable, "-m", "uvicorn", "tests.load.bare:app", "--port", str(self.port))
        )


@contextlib.contextmanager
def a_database(folder: Path) -> Iterator[str]:
    """DATABASE_URL where it is set (rows are added to it), else a PostgreSQL for this run."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    try:
        postgres.ensure_database()
        yield postgres.url()
    finally:
        postgres.stop()


async def prepare(url: str) -> Stock:
    """Migrate and fill the database."""
    settings = Settings(_env_file=None, secret_key=SecretStr(SECRET), database_url=SecretStr(url))
    database = Database.from_settings(settings)
    try:
        await migrate(database.engine)
        return await fill(database)
    finally:
        await database.dispose()


@contextlib.contextmanager
def both_servers(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """The ports of this product, logging as in production, and of the bare app."""
    folders = [folder / "ours", folder / "bare"]
    for each in folders:
        each.mkdir()
    with ServerProcess(url, folders[0], LOG_JSON="true") as ours, BareServer(url, folders[1]) as b:
        yield ours.port, b.port


async def compare(
    operation: Operation, rounds: int, bounds: Bounds, connections: int
) -> list[tuple[float, float]]:
    """Rates of both in each round, after one that warms up and does not count."""
    rates = []
    for number in range(rounds + 1):
        ours = await Round(operation.ours, bounds).rate(connections)
        bare = await Round(operation.bare, bounds).rate(connections)
        if number:
            rates.append((ours, bare))
    return rates


def add_row(table: Table, operation: Operation, rates: list[tuple[float, float]]) -> None:
    ours, bare = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(a / b for a, b in rates)
    met = "yes" if ratio >= operation.aim else "no"
    cells = (f"{ours:,.0f}", f"{bare:,.0f}", f"{ratio:.2f}", f"{operation.aim:.1f}", met)
    table.add_row(operation.name, *cells)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count, for each server.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="At most so long is a round.")] = 1.5,
    requests: Annotated[int, typer.Option(min=1, help="At most so many are sent in it.")] = 10_000,
    connections: Annotated[int, typer.Option(min=1, max=500)] = 16,
    only: Annotated[str, typer.Option(help="Only operations whose name has this.")] = "",
) -> None:
    """Compare requests per second with a bare FastAPI and SQLAlchemy app."""
    table = Table("operation", "ours/s", "bare/s", "ratio", "aim", "met")
    with (
        tempfile.TemporaryDirectory(prefix="load-") as name,
        a_database(Path(name)) as url,
    ):
        stock = asyncio.run(prepare(url))
        with both_servers(url, Path(name)) as (ours, bare):
            for operation in operations(stock, ours, bare):
                if only in operation.name:
                    run = compare(operation, rounds, Bounds(seconds, requests), connections)
                    add_row(table, operation, asyncio.run(run))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
