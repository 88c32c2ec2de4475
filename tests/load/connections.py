"""``python -m tests.load.connections``: hostile connections beside ordinary requests.

A thousand that say nothing, a thousand that stop in the middle of a head, two hundred whose body
trickles: when each is closed, and what ordinary requests take meanwhile. Exits with 1 when one was
held longer than it may be, when a request failed, or when the p99 more than doubled.
"""

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from app.core.database import Database
from tests.conftest import settings_for
from tests.load.__main__ import a_database, prepare
from tests.server import installed

console = Console()
HOST = b"Host: localhost\r\n"
HALF_HEAD = b"GET /login HTTP/1.1\r\n" + HOST + b"X-Slow: "
SLOW_BODY = (
    b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 100000\r\n\r\n"
)
TRICKLE_EVERY_S = 2.0
OPENED_AT_ONCE = 50
CALM_S = 20.0


@dataclass(slots=True)
class Held:
    """How long (s) each connection of a kind was let open; ``bound_s`` is the longest it may."""

    name: str
    bound_s: float
    seconds: list[float] = field(default_factory=list)

    @property
    def is_within(self) -> bool:
        return max(self.seconds, default=0.0) <= self.bound_s


def hold_all(port: int, kinds: Sequence[tuple[Held, bytes, int]]) -> list[Held]:
    """In a process of its own, so that what is measured beside it is the server."""

    async def work() -> None:
        gate = asyncio.Semaphore(OPENED_AT_ONCE)
        holding = [
            hold(port, first, gate, held) for held, first, count in kinds for _ in range(count)
        ]
        await asyncio.gather(*holding)

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8_000), most))
    asyncio.run(work())
    return [held for held, _, _ in kinds]


async def hold(port: int, first: bytes, gate: asyncio.Semaphore, held: Held) -> None:
    """Say ``first``, then a byte from time to time where that was something, until the end."""
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened = time.monotonic()
        writer.write(first)
    reading = asyncio.ensure_future(reader.read(-1))
    with suppress(ConnectionError):
        while not reading.done():
            await asyncio.wait([reading], timeout=TRICKLE_EVERY_S)
            if first and not reading.done():
                writer.write(b"a")
        await reading
    held.seconds.append(time.monotonic() - opened)
    writer.close()


class Ordinary:
    """Requests as they are always made, and how long each took (milliseconds)."""

    def __init__(self, url: str, api_key: str) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url, headers={"X-API-Key": api_key}, trust_env=False, timeout=30
        )
        self.took_ms: list[float] = []
        self.failed = 0

    async def ask(self, pause_s: float = 0.02) -> None:
        while True:
            started = time.perf_counter()
            try:
                response = await self._client.get("/api/v1/agents?limit=5")
                self.failed += not response.is_success
            except httpx2.TransportError:
                self.failed += 1
            self.took_ms.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(pause_s)

    async def during(self, *work: asyncio.Future[Any]) -> list[float]:  # whatever comes of it
        """What requests took until all of it is done."""
        self.took_ms = []
        asking = [asyncio.create_task(self.ask()) for _ in range(4)]
        await asyncio.gather(*work)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return self.took_ms


def quantiles(took_ms: Sequence[float]) -> tuple[float, float]:
    """The median and the p99."""
    cuts = statistics.quantiles(took_ms, n=100)
    return cuts[49], cuts[98]


async def run(url: str, folder: Path, idle: int, half: int, slow: int) -> bool:
    """Whether all was as it should be."""
    database = Database.from_settings(settings_for(url))
    async with installed(database, folder, LOG_JSON="true") as site:
        ordinary = Ordinary(site.server.url, site.api_key)
        await ordinary.during(asyncio.ensure_future(asyncio.sleep(2)))
        calm = quantiles(await ordinary.during(asyncio.ensure_future(asyncio.sleep(CALM_S))))
        kinds = [
            (Held("that say nothing", 12), b"", idle),
            (Held("with half a head", 14), HALF_HEAD, half),
            (Held("whose body trickles", 34), SLOW_BODY, slow),
        ]
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            holding = loop.run_in_executor(pool, hold_all, site.server.port, kinds)
            beset = quantiles(await ordinary.during(holding))
            results = await holding
    await database.dispose()
    show(results, calm, beset, ordinary.failed)
    is_held = all(held.is_within for held in results)
    return is_held and not ordinary.failed and beset[1] <= 2 * calm[1]


def show(
    kinds: Sequence[Held], calm: tuple[float, float], beset: tuple[float, float], failed: int
) -> None:
    table = Table("connections", "", "first closed s", "last closed s", "bound s")
    for held in kinds:
        seconds = held.seconds or [0.0]
        figures = (min(seconds), max(seconds), held.bound_s)
        table.add_row(str(len(seconds)), held.name, *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    console.print(f"ordinary requests: p50 {calm[0]:.1f} ms, p99 {calm[1]:.1f} ms on their own;")
    console.print(
        f"meanwhile          p50 {beset[0]:.1f} ms, p99 {beset[1]:.1f} ms; {failed} failed"
    )


def main(
    idle: Annotated[int, typer.Option(min=1)] = 1_000,
    half: Annotated[int, typer.Option(min=1)] = 1_000,
    slow: Annotated[int, typer.Option(min=1)] = 200,
) -> None:
    """Hold connections open, and measure everyone else."""
    with tempfile.TemporaryDirectory(prefix="load-") as name, a_database(Path(name)) as url:
        asyncio.run(prepare(url))
        is_well = asyncio.run(run(url, Path(name), idle, half, slow))
    raise typer.Exit(0 if is_well else 1)


if __name__ == "__main__":
    typer.run(main)
