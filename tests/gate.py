"""A port in front of a real server, which can be shut, or fall silent, and be opened again."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Self

from tests.server import free_port


class How(StrEnum):
    """What becomes of those who connect."""

    OPEN = "open"
    REFUSING = "refusing"
    HANGING = "hanging"


class Gate:
    """Whoever is connected when it changes is hung up on.

    ``behind`` is a port of this machine, or the path of a socket.
    """

    def __init__(self, behind: int | Path) -> None:
        self.port = free_port()
        self._behind = behind
        self._how = How.OPEN
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.become(How.OPEN)
        return self

    def __exit__(self, *_: object) -> None:
        self.become(How.REFUSING)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def become(self, how: How) -> None:
        asyncio.run_coroutine_threadsafe(self._become(how), self._loop).result(30)

    @contextmanager
    def being(self, how: How) -> Iterator[None]:
        """For the block; open again after it."""
        self.become(how)
        try:
            yield
        finally:
            self.become(How.OPEN)

    async def _become(self, how: How) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        self._how = how
        if how is not How.REFUSING:
            self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if self._how is How.HANGING:
            return
        there, back = await self._reach()
        self._open.add(back)
        await asyncio.gather(self._pour(reader, back), self._pour(there, writer))
        self._open -= {writer, back}

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._behind, Path):
            return await asyncio.open_unix_connection(self._behind)
        return await asyncio.open_connection("127.0.0.1", self._behind)

    @staticmethod
    async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        target.close()
