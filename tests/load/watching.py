"""``python -m tests.load.watching``: what being watched costs, as a ratio of CPU in one run.

Four apps in one process over one database are asked the same by turns, in short rounds, so that
what else the machine does slows all of them. Nothing is sent over sockets: the CPU is the app's.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from app.core.config import Settings
from app.core.database import Database
from app.core.logging import configure_logging
from app.core.permissions import Role
from app.main import create_app
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_user
from tests.load.__main__ import a_database, prepare
from tests.otlp.collector import collecting
from tests.server import SECRET

ROUNDS, REQUESTS = 24, 60
PATHS = ("/api/v1/agents", "/api/v1/executions", "/login")
console = Console()


def ways(url: str, collector: str) -> dict[str, Settings]:
    plain = Settings(
        _env_file=None,
        secret_key=SecretStr(SECRET),
        database_url=SecretStr(url),
        rate_limit_read_per_minute=10_000_000,
    )
    metrics = {"metrics_token": SecretStr("x" * 16)}
    traces = {"otlp_endpoint": collector}
    return {
        "nothing": plain,
        "metrics": plain.model_copy(update=metrics),
        "spans": plain.model_copy(update=traces),
        "spans of 1 %": plain.model_copy(update=traces | {"otlp_sample_rate": 0.01}),
    }


@asynccontextmanager
async def served(settings: Settings, key: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://localhost",
            headers={"X-API-Key": key},
        ) as client,
    ):
        yield client


async def cpu_ms(client: httpx2.AsyncClient) -> float:
    """Of one request, on average over a round."""
    started = time.process_time()
    for number in range(REQUESTS):
        answer = await client.get(PATHS[number % len(PATHS)])
        answer.raise_for_status()
    return (time.process_time() - started) / REQUESTS * 1000


async def a_key(settings: Settings) -> str:
    database = Database.from_settings(settings)
    async with database.unit_of_work() as session:
        _, key = await make_api_key(session, await make_user(session, Role.STAFF))
    await database.dispose()
    return key


async def measure(url: str, collector: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    settings = ways(url, collector)
    key = await a_key(settings["nothing"])
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(served(each, key))
            for name, each in settings.items()
        }
        configure_logging(settings["nothing"].model_copy(update={"log_json": True}))
        turns = list(clients.items())
        for number in range(ROUNDS + 1):
            turns = [*turns[1:], turns[0]]  # who comes first finds other caches
            for name, client in turns:
                taken = await cpu_ms(client)
                if number:  # the first one builds the routes
                    found.setdefault(name, []).append(taken)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, a_database(Path(folder)) as url:
        asyncio.run(prepare(url))
        with collecting() as collector:
            found = asyncio.run(measure(url, collector.url))
    table = Table("watched by", "CPU ms a request", "beside nothing")
    for name, taken in found.items():
        ratios = [one / bare for one, bare in zip(taken, found["nothing"], strict=True)]
        table.add_row(name, f"{statistics.median(taken):.2f}", f"{statistics.median(ratios):.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
