"""``python -m tests.load.sizes``: bytes on disk for each run and step, by table.

Steps as ``tests.load.otlp_sender`` makes them: 16 a run, of 1 to 4 kB. Sizes are the same on any
machine.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import SCHEMAS
from app.services.operations.storage import TABLES, TableSize
from tests.load.otlp import prepare, send
from tests.load.otlp_sender import BATCH, TRACE
from tests.server import ServerProcess

SENDERS = 2
SHOWN_FROM_BYTES = 10.0  # of a table, for each step

console = Console()


@dataclass(frozen=True, slots=True)
class Sizes:
    """``wal_bytes`` is what the write-ahead log grew by, while the steps came."""

    tables: list[TableSize]
    wal_bytes: int


async def read(url: str, since: str) -> Sizes:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        await connection.execute("VACUUM ANALYZE")
        rows = await connection.fetch(TABLES, list(SCHEMAS), 100)
        wal = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1::text::pg_lsn)::bigint"
        return Sizes([TableSize(**row) for row in rows], await connection.fetchval(wal, since))
    finally:
        await connection.close()


async def position(url: str) -> str:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        return str(await connection.fetchval("SELECT pg_current_wal_lsn()::text"))
    finally:
        await connection.close()


def shown(sizes: Sizes, steps: int) -> Table:
    table = Table("table", "rows", "bytes a step", "of them indexes", "bytes a run")
    total = 0.0
    for each in sizes.tables:
        size = each.total_bytes / steps
        total += size
        if size >= SHOWN_FROM_BYTES:
            figures = (size, each.index_bytes / steps, size * TRACE)
            table.add_row(each.name, f"{each.row_count:,}", *(f"{part:,.0f}" for part in figures))
    table.add_row("together", "", f"{total:,.0f}", "", f"{total * TRACE:,.0f}")
    table.add_row("write-ahead log", "", f"{sizes.wal_bytes / steps:,.0f}", "", "")
    return table


def main(
    batches: Annotated[int, typer.Option(min=10, help="Of 512 steps, from each of two.")] = 40,
) -> None:
    """What a run and its steps take on disk."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        postgres = EmbeddedPostgres(Path(name))
        postgres.start()
        try:
            postgres.ensure_database()
            url = postgres.url()
            key = asyncio.run(prepare(url))
            (Path(name) / "ours").mkdir()
            since = asyncio.run(position(url))
            with ServerProcess(url, Path(name) / "ours", LOG_JSON="true") as server:
                send(server, key, SENDERS, batches, 0)
            sizes = asyncio.run(read(url, since))
            console.print(shown(sizes, SENDERS * batches * BATCH))
        finally:
            postgres.stop()


if __name__ == "__main__":
    typer.run(main)
