"""One installation in one process, or, with ``GREENROOM_CLUSTER=1``, in many.

Then browsers meet two web processes, connection by connection, over one PostgreSQL and a real
Redis, and two workers do what there is to do.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Self

from tests.launching import Launched
from tests.redis_server import Redis
from tests.server import SECRET, ServerProcess, clean_environment

IS_CLUSTER = os.environ.get("GREENROOM_CLUSTER") == "1"
WEB_PROCESSES, WORKERS = (2, 2) if IS_CLUSTER else (1, 1)


class Turnstile:
    """Hands each connection to the next of several ports, as a proxy without memory would."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._turns = cycle(ports)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(asyncio.start_server(self._hand_on, sock=self._socket))
        self._loop.run_forever()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", next(self._turns))
        await asyncio.gather(self._pour(reader, back), self._pour(there, writer))

    @staticmethod
    async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()


@contextmanager
def serving(url: str, folder: Path, **environment: str) -> Iterator[str]:
    """The address of an installation over this database, with its logs in the folder."""
    with ExitStack() as stack:
        if IS_CLUSTER:
            redis = Redis(folder)
            stack.callback(redis.stop)
            environment = environment | {"REDIS_URL": redis.url}
        ports = []
        for number in range(WEB_PROCESSES):
            place = folder / f"web-{number}"
            place.mkdir()
            server = stack.enter_context(ServerProcess(url, place, **environment))
            ports.append(server.port)
        if not IS_CLUSTER:
            yield server.url
            return
        yield stack.enter_context(Turnstile(ports)).url


class Workers:
    """The background work of an installation, as one."""

    def __init__(self, url: str, folder: Path, **environment: str) -> None:
        given = clean_environment(DATABASE_URL=url, SECRET_KEY=SECRET, **environment)
        self._all = [
            Launched(["worker"], folder, given, folder / f"worker-{number}.log")
            for number in range(WORKERS)
        ]

    def send_signal(self, number: signal.Signals) -> None:
        for worker in self._all:
            worker.send_signal(number)

    def stop(self) -> None:
        self.send_signal(signal.SIGTERM)
        for worker in self._all:
            worker.wait(20)
