"""What was acknowledged is kept, whatever dies right after."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.integration.otlp.test_sdk import exporting, shop
from tests.otlp.crashes import Victim, connect, cycle
from tests.outage import MortalPostgres, Outage, mortal_postgres
from tests.server import Installation, installed

CYCLES, LAZY_CYCLES = 1, 3
EXPORTED = 20
RUNS = "/api/v1/executions?limit=100"
LAZY = (
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
    "SELECT pg_reload_conf()",
)
EAGER = (
    "ALTER SYSTEM RESET synchronous_commit",
    "ALTER SYSTEM RESET wal_writer_delay",
    "ALTER SYSTEM RESET wal_writer_flush_after",
    "SELECT pg_reload_conf()",
)


@pytest.fixture(scope="module")
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MortalPostgres]:
    with mortal_postgres(tmp_path_factory.mktemp("mortal")) as server:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(server.embedded.ensure_database).result()
        yield server


@pytest.fixture
async def home(mortal: MortalPostgres, tmp_path: Path) -> AsyncIterator[Installation]:
    database = Database.from_settings(settings_for(mortal.embedded.url()))
    await migrate(database.engine)
    async with installed(database, tmp_path) as home:
        yield home
    await database.dispose()


@pytest.mark.parametrize("victim", Victim)
async def test_nothing_that_was_acknowledged_is_lost(
    home: Installation, mortal: MortalPostgres, victim: Victim
) -> None:
    for number in range(CYCLES):
        acknowledged, lost = await cycle(victim, home, mortal, number)
        assert (lost, acknowledged > 0) == (0, True)


async def test_the_sdks_exporter_brings_every_span_through_a_stop_of_the_database(
    home: Installation, mortal: MortalPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    async with home.api_client() as client:
        before = {run["id"] for run in (await client.get(RUNS)).json()["items"]}
        with exporting(home, Compression.Gzip) as provider:
            await asyncio.to_thread(mortal.begin, Outage.STOPPED)
            for _ in range(EXPORTED):
                shop(provider)
            flush = asyncio.create_task(asyncio.to_thread(provider.force_flush))
            while "Service Unavailable" not in caplog.text:  # a 503, which it sends again after
                assert not flush.done()
                await asyncio.sleep(0.01)
            await asyncio.to_thread(mortal.end, Outage.STOPPED)
            assert await flush
        runs = (await client.get(RUNS)).json()["items"]
    steps = [run["span_count"] for run in runs if run["id"] not in before]
    assert steps == [3] * EXPORTED


async def test_a_database_that_does_not_wait_for_its_disk_does_lose(
    home: Installation, mortal: MortalPostgres
) -> None:
    connection = await connect(mortal)
    for statement in LAZY:
        await connection.execute(statement)
    await connection.close()
    try:
        lost = sum([(await cycle(Victim.DATABASE, home, mortal, n))[1] for n in range(LAZY_CYCLES)])
    finally:
        connection = await connect(mortal)
        for statement in EAGER:
            await connection.execute(statement)
        await connection.close()
    assert lost > 0
