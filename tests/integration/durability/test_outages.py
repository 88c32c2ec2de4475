"""A database that stops, dies or falls silent under load is said so at once, and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.outage import Load, MortalPostgres, Outage, mortal_postgres
from tests.server import Installation, installed

PATHS = ("/api/v1/agents", "/api/v1/executions", "/api/v1/agents/by-name/none/config")
CLIENTS = 12
WELL = {200, 404}  # there is no agent called none
LONG_AGO, FOREVER = 0.0, float("inf")


@pytest.fixture(scope="module")
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MortalPostgres]:
    with mortal_postgres(tmp_path_factory.mktemp("mortal")) as server:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(server.embedded.ensure_database).result()
        yield server


@pytest.fixture(scope="module")
async def home(
    mortal: MortalPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    url = mortal.embedded.url()
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    async with installed(database, tmp_path_factory.mktemp("home")) as home:
        yield home
    await database.dispose()


@pytest.mark.parametrize("outage", Outage)
async def test_every_answer_is_503_while_it_is_gone_and_it_comes_back_by_itself(
    home: Installation, mortal: MortalPostgres, outage: Outage
) -> None:
    async with home.api_client() as client:
        load = Load(client, PATHS)
        load.start(CLIENTS)
        await load.until_all_are(WELL, CLIENTS)
        await asyncio.to_thread(mortal.begin, outage)
        try:
            down_at = await load.until_all_are({503}, 4 * CLIENTS)
            live = await client.get("/health/live")
            ready = await client.get("/health/ready")
        finally:
            ended_at = time.monotonic()
            await asyncio.to_thread(mortal.end, outage)
        await load.until_all_are(WELL, 4 * CLIENTS)
        await load.stop()
    assert live.status_code == 200
    assert ready.status_code == 503
    assert "database" in ready.json()["checks"]
    meanwhile = load.between(down_at, ended_at)
    assert {answer.response.status_code for answer in meanwhile} == {503}
    for answer in load.between(LONG_AGO, FOREVER):
        if answer.response.status_code not in WELL:
            assert answer.response.status_code == 503
            assert answer.response.headers["retry-after"]
            assert answer.response.json()["error"]["code"] == "DATABASE_ERROR"


async def test_what_needs_no_database_is_served_meanwhile(
    home: Installation, mortal: MortalPostgres
) -> None:
    async with home.api_client() as client:
        await asyncio.to_thread(mortal.begin, Outage.FROZEN)
        try:
            assert (await client.get("/api/v1/agents")).status_code == 503
            assert (await client.get("/static/css/greenroom.css")).status_code == 200
            assert (await client.get("/agents", follow_redirects=False)).status_code in (303, 503)
        finally:
            await asyncio.to_thread(mortal.end, Outage.FROZEN)
