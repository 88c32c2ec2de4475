"""``python -m tests.load.sockets``: many open sockets on one server process.

How much memory a socket takes, how long an event takes from the database to every one of them,
and whether readers that do not read delay the others before they are dropped.
"""

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from app.api.deps import PLAIN_COOKIE
from app.api.sockets import MAX_OPEN
from app.core.database import Database
from app.core.events import Event
from app.core.permissions import Role
from app.core.security import Signer
from app.models import Presence
from app.services.live_events import EventSender
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_session_token, make_user
from tests.load.__main__ import a_database, prepare
from tests.server import SECRET, ServerProcess

console = Console()
ROOM = "agents"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)
NOISE, NOISE_BYTES = 900, 15_000
OPENED_AT_ONCE = 20
# Frames of four bytes, as the server sends them and as a client has to answer.
PING, PONG = b"\x89\x04", b"\x8a\x84\x00\x00\x00\x00"


@dataclass(slots=True)
class Reader(asyncio.Protocol):
    """A client light enough not to be what is measured: it notes when its events arrive."""

    opened: asyncio.Future[None]
    arrived: list[float] = field(default_factory=list)
    transport: asyncio.Transport | None = None
    _is_open: bool = False

    @property
    def is_closed(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            self._is_open = True
            if data.startswith(b"HTTP/1.1 101"):
                self.opened.set_result(None)
            else:
                self.opened.set_exception(RuntimeError(data[:200].decode()))
        if (ping := data.find(PING)) >= 0 and self.transport is not None:
            # Masked with zeros, which leaves the payload as it is.
            self.transport.write(PONG + data[ping + len(PING) :][:4])
        self.arrived += [time.perf_counter()] * data.count(b'"event":"tick"')

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed"))


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds from the commit to each reader, and from the first reader to the last."""

    delays_ms: Sequence[float]
    spreads_ms: Sequence[float]

    def cells(self) -> list[str]:
        cuts = statistics.quantiles(self.delays_ms, n=100)
        spread = statistics.median(self.spreads_ms)
        figures = (cuts[49], cuts[98], max(self.delays_ms), spread)
        return [f"{figure:,.1f}" for figure in figures]


@dataclass(frozen=True, slots=True)
class Bench:
    """The server, and a way to say something that every process hears."""

    server: ServerProcess
    database: Database
    sender: EventSender

    async def headers(self, count: int) -> list[str]:
        """A key for each so many sockets as one owner may open."""
        async with self.database.unit_of_work() as session:
            user = await make_user(session, Role.STAFF)
            keys = [(await make_api_key(session, user))[1] for _ in range(0, count, MAX_OPEN)]
        return [f"X-API-Key: {keys[n // MAX_OPEN]}" for n in range(count)]

    async def open(self, count: int) -> list[Reader]:
        gate = asyncio.Semaphore(OPENED_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def one(header: str) -> Reader:
            async with gate:
                make: Callable[[], Reader] = lambda: Reader(loop.create_future())  # noqa: E731
                _, reader = await loop.create_connection(make, "127.0.0.1", self.server.port)
                assert reader.transport is not None
                reader.transport.write(handshake(self.server.port, ROOM, header))
                await reader.opened
                return reader

        return await asyncio.gather(*(one(header) for header in await self.headers(count)))

    async def measure(self, readers: Sequence[Reader], events: int, pause_s: float) -> Measured:
        """Say ``events`` things one after the other, each heard by all before the next."""
        delays: list[float] = []
        spreads: list[float] = []
        for number in range(events):
            for reader in readers:
                reader.arrived.clear()
            self.sender.send([Event(ROOM, "tick", {"id": number})])
            started = time.perf_counter()
            await self.sender.flush()
            while not all(reader.arrived for reader in readers):
                await asyncio.sleep(0.002)
                if any(reader.is_closed for reader in readers):
                    raise RuntimeError("A reader was dropped that did read.")
            arrivals = [reader.arrived[0] for reader in readers]
            delays += [(arrival - started) * 1000 for arrival in arrivals]
            spreads.append((max(arrivals) - min(arrivals)) * 1000)
            await asyncio.sleep(pause_s)
        return Measured(delays, spreads)

    def memory_kib(self) -> int:
        """What the process has for itself."""
        rollup = Path(f"/proc/{self.server.pid}/smaps_rollup").read_text()
        private = [line for line in rollup.splitlines() if line.startswith("Private_")]
        return sum(int(line.split()[1]) for line in private)


def handshake(port: int, room: str, *headers: str) -> bytes:
    lines = [f"GET /api/v1/ws/{room} HTTP/1.1", f"Host: 127.0.0.1:{port}", *UPGRADE, *headers]
    return "\r\n".join([*lines, "", ""]).encode()


class LazyReaders:
    """Sockets of people on one page that never read, and what becomes of them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.room = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self, count: int) -> None:
        port = self._bench.server.port
        async with self._bench.database.unit_of_work() as session:
            user = await make_user(session, Role.STAFF)
            agent = await make_agent(session, actor_for(user))
            cookie = Signer([SECRET]).sign(await make_session_token(session, user))
        self.room = f"presence:agent:{agent.id}"
        said = (f"Cookie: {PLAIN_COOKIE}={cookie}", f"Origin: http://127.0.0.1:{port}")
        for _ in range(count):
            # A small limit pauses the reading almost at once, and the kernel's buffer fills.
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(handshake(port, self.room, *said))
            self._writers.append(writer)
        await self.until(count)

    async def until(self, count: int) -> None:
        """As many are left."""
        statement = select(func.count()).where(Presence.room == self.room)
        while True:
            async with self._bench.database.unit_of_work() as session:
                if await session.scalar(statement) == count:
                    return
            await asyncio.sleep(0.1)

    async def flood(self) -> None:
        """Say more to them than all buffers hold."""
        for number in range(NOISE):
            noise = {"n": number, "text": "x" * NOISE_BYTES}
            self._bench.sender.send([Event(self.room, "noise", noise)])
            await self._bench.sender.flush()
            await asyncio.sleep(0)

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def started(url: str, folder: Path) -> AsyncIterator[Bench]:
    database = Database.from_settings(settings_for(url))
    server = ServerProcess(url, folder, LOG_JSON="true")
    await asyncio.to_thread(server.start)
    try:
        yield Bench(server, database, EventSender(database))
    finally:
        await asyncio.to_thread(server.stop)
        await database.dispose()


async def run(url: str, folder: Path, sockets: int, events: int, lazy: int) -> None:
    table = Table("readers", "p50 ms", "p99 ms", "max ms", "first to last ms")
    async with started(url, folder) as bench:
        before = bench.memory_kib()
        opening = time.perf_counter()
        readers = await bench.open(sockets)
        took = time.perf_counter() - opening
        await asyncio.sleep(2)
        each = (bench.memory_kib() - before) / sockets
        console.print(f"{sockets:,} sockets opened in {took:.1f} s; {each:.1f} KiB each")
        await bench.measure(readers, 3, 0.05)
        calm = await bench.measure(readers, events, 0.05)
        table.add_row(f"{sockets:,}", *calm.cells())
        readers_that_do_not = LazyReaders(bench)
        await readers_that_do_not.open(lazy)
        flooding = asyncio.create_task(readers_that_do_not.flood())
        opening = time.perf_counter()
        busy = await bench.measure(readers, events, 0.05)
        await flooding
        await readers_that_do_not.until(0)
        took = time.perf_counter() - opening
        table.add_row(f"… beside {lazy} that do not read", *busy.cells())
        console.print(table)
        console.print(f"All {lazy} were dropped within {took:.1f} s")
        readers_that_do_not.close()
        after = bench.memory_kib() - before
        console.print(f"{after / sockets:.1f} KiB for each socket that is left")
        for reader in readers:
            if reader.transport is not None:
                reader.transport.abort()


def main(
    sockets: Annotated[int, typer.Option(min=1)] = 1_000,
    events: Annotated[int, typer.Option(min=2, help="Events in each row of the table.")] = 100,
    lazy: Annotated[int, typer.Option(min=1, max=100, help="Readers that do not read.")] = 50,
) -> None:
    """Measure open sockets: memory, delay of events, readers that do not read."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, sockets * 2 + 500), most))
    with tempfile.TemporaryDirectory(prefix="load-") as name, a_database(Path(name)) as url:
        asyncio.run(prepare(url))
        asyncio.run(run(url, Path(name), sockets, events, lazy))


if __name__ == "__main__":
    typer.run(main)
