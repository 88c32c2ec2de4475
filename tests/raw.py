"""Connections on which a test says exactly what it wants, byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CLOSED_WITHIN_S = 20


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_closed(self) -> bytes:
        """All that the server says until it hangs up. Raise ``TimeoutError`` when it does not."""
        said = b""
        async with asyncio.timeout(CLOSED_WITHIN_S):
            try:
                while data := await self._reader.read(65536):
                    said += data
            except ConnectionError:
                pass
        return said

    async def answer(self) -> bytes:
        """The head of the next answer, whose body is read too."""
        async with asyncio.timeout(CLOSED_WITHIN_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await self._reader.readexactly(int(line.partition(b":")[2]))
        return head


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()


async def ask(port: int, data: bytes) -> bytes:
    """What comes of sending this, until the server hangs up."""
    async with connected(port) as raw:
        await raw.say(data)
        return await raw.until_closed()


def status_of(answer: bytes) -> int:
    """Of the first answer; 0 when there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
