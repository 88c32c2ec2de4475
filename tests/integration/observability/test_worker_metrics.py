"""What a worker of its own tells: also that it has lost its database."""

import asyncio
import time
from pathlib import Path

import httpx2
from pydantic import SecretStr

from app.core.database import Database
from app.core.migrations import migrate
from tests.conftest import settings_for
from tests.integration.observability.test_metrics import BEARER, TOKEN, value
from tests.launching import Launched
from tests.outage import Outage, mortal_postgres
from tests.server import READY_WITHIN_S, SECRET, clean_environment, free_port


async def until_it_says(url: str, wanted: float) -> None:
    """Of ``greenroom_database_up``. Raise ``AssertionError`` when it never does."""
    ends = time.monotonic() + READY_WITHIN_S
    async with httpx2.AsyncClient(trust_env=False) as client:
        while time.monotonic() < ends:
            try:
                text = (await client.get(url, headers=BEARER)).text
            except httpx2.TransportError:
                text = ""  # it does not listen yet
            if "greenroom_database_up" in text and value(text, "greenroom_database_up") == wanted:
                return
            await asyncio.sleep(0.1)
    raise AssertionError(f"The worker does not say {wanted}.")


async def test_worker_says_whether_its_database_answers(tmp_path: Path) -> None:
    port = free_port()
    with mortal_postgres(tmp_path / "database") as mortal:
        await asyncio.to_thread(mortal.embedded.ensure_database)
        database_url = await migrated(mortal.embedded.url())
        environment = clean_environment(
            DATABASE_URL=database_url,
            SECRET_KEY=SECRET,
            METRICS_TOKEN=TOKEN,
            WORKER_METRICS_PORT=str(port),
        )
        worker = Launched(["worker"], tmp_path, environment, tmp_path / "worker.log")
        try:
            url = f"http://127.0.0.1:{port}/metrics"
            await until_it_says(url, 1)
            mortal.begin(Outage.FROZEN)
            await until_it_says(url, 0)
            mortal.end(Outage.FROZEN)
            await until_it_says(url, 1)
        finally:
            worker.kill()
            worker.wait(10)


async def migrated(url: str) -> str:
    """The same, with the tables in it."""
    database = Database.from_settings(settings_for(url, secret_key=SecretStr(SECRET)))
    await migrate(database.engine)
    await database.dispose()
    return url
