"""A closed loop over keep-alive connections, light enough not to be what is measured."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class UnexpectedAnswer(Exception):
    """A server answered otherwise than the operation says."""


@dataclass(frozen=True, slots=True)
class Target:
    """One operation at one server: ``request`` makes the bytes of the next request."""

    port: int
    request: Callable[[], bytes]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """A round ends with the first of these."""

    seconds: float
    requests: int


def message(method: str, path: str, headers: Sequence[str] = (), body: bytes = b"") -> bytes:
    """An HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of an answer that declares its length, or has no body."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    length = int(rest.partition(b"\r\n")[0]) if rest else 0
    return status, await reader.readexactly(length) if length else b""


async def ask(target: Target) -> bytes:
    """The body of one answer. Raise ``UnexpectedAnswer`` for another status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        writer.write(target.request())
        return expected(target, *await read_answer(reader))
    finally:
        writer.close()


def expected(target: Target, status: int, body: bytes) -> bytes:
    if status != target.status:
        raise UnexpectedAnswer(f"{target.request()[:80]!r} → {status} {body[:500]!r}")
    return body


class Round:
    """So many requests one after the other on each connection, until the bounds are met."""

    def __init__(self, target: Target, bounds: Bounds) -> None:
        self._target = target
        self._left = bounds.requests
        self._seconds = bounds.seconds
        self._done = 0

    async def rate(self, connections: int) -> float:
        """Answers per second. Raise ``UnexpectedAnswer`` for one that is not as it should be."""
        opened = [
            await asyncio.open_connection("127.0.0.1", self._target.port)
            for _ in range(connections)
        ]
        started = time.perf_counter()
        until = started + self._seconds
        await asyncio.gather(*(self._loop(*streams, until) for streams in opened))
        took = time.perf_counter() - started
        for _, writer in opened:
            writer.close()
        return self._done / took

    async def _loop(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: float
    ) -> None:
        while self._left > 0 and time.perf_counter() < until:
            self._left -= 1
            writer.write(self._target.request())
            expected(self._target, *await read_answer(reader))
            self._done += 1
