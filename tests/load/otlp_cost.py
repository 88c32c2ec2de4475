"""``python -m tests.load.otlp_cost``: processor time per span, as more and more spans are stored.

Of our process and of PostgreSQL with all of its own. Processor time says the same on a busy machine
as on a quiet one, as long as there is memory; a rate does not.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.core.embedded_postgres import EmbeddedPostgres
from tests.load.otlp import prepare, send, stored
from tests.load.otlp_sender import BATCH
from tests.server import ServerProcess

SENDERS, BATCHES = 2, 10
ROUND = SENDERS * BATCHES * BATCH  # spans
TICKS = os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat after the name, counted from 0.
OWN, ENDED_CHILDREN = slice(11, 13), slice(13, 15)

console = Console()


def ticks_of(process: Path, fields: slice) -> int:
    try:
        stat = (process / "stat").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[fields]))


def works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink() == folder
    except OSError:
        return False


def server_seconds(folder: Path) -> float:
    """Of all processes of the PostgreSQL in this folder, those that have ended included."""
    processes = [p for p in Path("/proc").glob("[0-9]*") if works_in(p, folder)]
    postmaster = (folder / "postmaster.pid").read_text().split()[0]
    ended = ticks_of(Path("/proc") / postmaster, ENDED_CHILDREN)
    return (ended + sum(ticks_of(process, OWN) for process in processes)) / TICKS


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of processor time per span of a round, when so many spans were stored."""

    spans: int
    web: float
    database: float

    @property
    def total(self) -> float:
        return self.web + self.database


def costs(server: ServerProcess, key: str, folder: Path, until: int) -> Iterator[Cost]:
    """One of each round; the first one warms up."""
    for number in range(until // ROUND):
        web, database = ticks_of(Path(f"/proc/{server.pid}"), OWN), server_seconds(folder)
        send(server, key, SENDERS, BATCHES, number)
        web = ticks_of(Path(f"/proc/{server.pid}"), OWN) - web
        database = server_seconds(folder) - database
        if number:
            each = 1e6 / ROUND
            yield Cost((number + 1) * ROUND, web / TICKS * each, database * each)


def add_row(table: Table, cost: Cost, first: Cost) -> None:
    figures = (cost.web, cost.database, cost.total)
    cells = [f"{figure:.0f}" for figure in figures]
    table.add_row(f"{cost.spans:,}", *cells, f"{cost.total / first.total:.2f}")


def measure(server: ServerProcess, key: str, folder: Path, until: int) -> Table:
    """A row for each time that the stored spans have doubled: the mean of the rounds up to it."""
    table = Table("stored spans", "web µs", "PostgreSQL µs", "together", "of the first")
    first: Cost | None = None
    waiting: list[Cost] = []
    mark = 2 * ROUND
    for cost in costs(server, key, folder, until):
        waiting.append(cost)
        if cost.spans >= mark:
            count = len(waiting)
            web, database = sum(c.web for c in waiting), sum(c.database for c in waiting)
            mean = Cost(cost.spans, web / count, database / count)
            first = first or mean
            add_row(table, mean, first)
            waiting, mark = [], 2 * mark
    return table


def main(
    until: Annotated[int, typer.Option(min=2 * ROUND, help="How many spans in the end.")] = 320_000,
) -> None:
    """What a span costs, at first and when many are stored."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        try:
            postgres.ensure_database()
            url, folder = postgres.url(), Path(name) / "postgres"
            key = asyncio.run(prepare(url))
            (Path(name) / "ours").mkdir()
            with ServerProcess(url, Path(name) / "ours", LOG_JSON="true") as server:
                console.print(measure(server, key, folder, until))
            console.print(f"{asyncio.run(stored(url, 'spans')):,} spans are stored")
        finally:
            postgres.stop()


if __name__ == "__main__":
    typer.run(main)
