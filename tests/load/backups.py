"""``python -m tests.load.backups``: a backup while reports arrive, and the time of a restore."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from sqlalchemy import text

from app.backups.drill import restore_from
from app.backups.dumping import Made, back_up
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.load.__main__ import a_database
from tests.load.stock import SAID, Stock, fill, steps
from tests.server import ServerProcess

console = Console()
SPANS_A_RUN, SENDERS, QUIET_S = 10, 4, 15
# Random text of about 4 kB, so that it takes as much room as it has characters.
BULK = """
INSERT INTO executions (agent_id, trace_id, status, source, started_at, cost_source, span_count)
SELECT CAST(:agent AS bigint), decode(md5('r' || i), 'hex'), 'succeeded', 'api',
    '2026-10-01'::timestamptz + i * interval '1 s', 'unpriced', CAST(:spans AS bigint)
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) i
"""
SPANS = """
INSERT INTO spans (trace_id, span_id, started_at, execution_id, kind, name, status, start_ns,
    cost_source)
SELECT e.trace_id, decode(lpad(to_hex(n), 16, '0'), 'hex'), e.started_at, e.id, 'llm', 'chat', 'ok',
    extract(epoch FROM e.started_at)::bigint * 1000000000, 'unpriced'
FROM executions e, generate_series(1, CAST(:spans AS bigint)) n
WHERE e.source = 'api' AND e.span_count = CAST(:spans AS bigint)
"""
BODIES = """
INSERT INTO span_bodies (trace_id, span_id, started_at, input)
SELECT s.trace_id, s.span_id, s.started_at, to_jsonb((SELECT string_agg(md5(random()::text), '')
    FROM generate_series(1, 120 + (extract(epoch FROM s.started_at)::bigint % 3))))
FROM spans s WHERE s.name = 'chat'
"""


async def fill_up(url: str, size_mb: int) -> Stock:
    """About so much, and an agent with a key."""
    database = Database.from_settings(settings_for(url))
    try:
        await migrate(database.engine)
        stock = await fill(database)
        runs = size_mb * 1_000_000 // (SPANS_A_RUN * 4_200)
        async with database.unit_of_work() as session:
            await session.execute(text("SET LOCAL statement_timeout = 0"))
            values = {"agent": stock.agent_id, "spans": SPANS_A_RUN, "first": 1, "last": runs}
            await session.execute(text(BULK), values)
            for statement in (SPANS, BODIES):
                await session.execute(
                    text(statement), {"spans": SPANS_A_RUN} if statement is SPANS else {}
                )
        return stock
    finally:
        await database.dispose()


async def size_of(url: str) -> int:
    database = Database.from_settings(settings_for(url))
    try:
        async with database.looking() as session:
            size = await session.scalar(text("SELECT pg_database_size(current_database())"))
            return int(size or 0)
    finally:
        await database.dispose()


@asynccontextmanager
async def reporting(server: ServerProcess, stock: Stock) -> AsyncIterator[list[float]]:
    """Senders one report after another each; how long each took, in ms."""
    took_ms: list[float] = []

    async def send(client: httpx2.AsyncClient, sender: int) -> None:
        number = 0
        while True:
            number += 1
            run = {"agent_id": stock.agent_id, "status": "succeeded", "output": SAID}
            run |= {"external_id": f"{id(took_ms)}-{sender}-{number}", "spans": steps()}
            run |= {"started_at": "2026-11-01T10:00:00Z"}
            started = time.perf_counter()
            answer = await client.post("/api/v1/executions", json=run)
            took_ms.append((time.perf_counter() - started) * 1000)
            if answer.status_code != 201:
                raise RuntimeError(answer.text)

    headers = {"X-API-Key": stock.api_key}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        tasks = [asyncio.create_task(send(client, sender)) for sender in range(SENDERS)]
        try:
            yield took_ms
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            failed = [each for each in ended if not isinstance(each, asyncio.CancelledError)]
            if failed:
                console.print(f"[red]reports failed: {failed}")


def told(name: str, took_ms: list[float], seconds: float) -> None:
    cuts = statistics.quantiles(took_ms, n=100)
    console.print(
        f"{name}: {len(took_ms) / seconds:.0f} reports/s, p50 {cuts[49]:.0f} ms, "
        f"p99 {cuts[98]:.0f} ms, longest {max(took_ms):.0f} ms"
    )


async def measure(settings: Settings, stock: Stock, folder: Path, jobs: int) -> Made:
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    with ServerProcess(url, folder) as server:
        async with reporting(server, stock) as alone:
            await asyncio.sleep(QUIET_S)
        told("without a backup", alone, QUIET_S)
        async with reporting(server, stock) as meanwhile:
            started = time.perf_counter()
            made = await back_up(settings, folder / "backup.tar", None, jobs, lambda _: None)
            seconds = time.perf_counter() - started
        told("during the backup", meanwhile, seconds)
    console.print(f"backup: {seconds:.1f} s, {made.size_bytes / 1e6:.0f} MB")
    return made


def main(
    size_mb: Annotated[int, typer.Option(min=1)] = 1000,
    jobs: Annotated[int, typer.Option(min=1)] = min(4, os.cpu_count() or 1),
) -> None:
    """Fill a database, back it up under load, restore it into a new cluster."""
    with tempfile.TemporaryDirectory(prefix="load-") as name, a_database(Path(name)) as url:
        Path(name).chmod(0o755)
        stock = asyncio.run(fill_up(url, size_mb))
        console.print(f"database: {asyncio.run(size_of(url)) / 1e6:.0f} MB")
        made = asyncio.run(measure(settings_for(url), stock, Path(name), jobs))
        other = Path(name) / "other"
        other.mkdir(mode=0o755)
        server = EmbeddedPostgres(other)
        server.start()
        try:
            server.ensure_database("restored")
            target = settings_for(server.url("restored"))
            started = time.perf_counter()
            done = asyncio.run(restore_from(target, made.path, jobs, False, lambda _: None))
            seconds = time.perf_counter() - started
        finally:
            server.stop()
    rows = done.placed.manifest.rows
    console.print(f"restore: {seconds:.1f} s for {rows:,} rows, every table as it was")
    console.print(f"audit log: {done.audit.events} events, problems {done.audit.problems}")


if __name__ == "__main__":
    typer.run(main)
