"""A server on loopback that speaks Sentry's envelope protocol, and keeps what it is sent."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.loopback import LoopbackServer

PUBLIC_KEY = "canarysentrykey0123456789abcdef00"
SENT_WITHIN_S = 10


@dataclass(slots=True)
class SentryServer:
    """``bodies`` are envelopes as they were sent, decompressed; see develop.sentry.dev."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        return f"http://{PUBLIC_KEY}@127.0.0.1:{self.port}/7"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        request = Request(scope, receive)
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert request.url.path == "/api/7/envelope/"
        assert PUBLIC_KEY in request.headers["x-sentry-auth"]
        self.bodies.append(body)
        await JSONResponse({})(scope, receive, send)

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of all items of a kind: ``event`` or ``transaction``."""
        return [item for body in self.bodies for name, item in items_of(body) if name == kind]

    def events(self, count: int = 1) -> list[dict[str, Any]]:
        """Once there are so many."""
        give_up_at = time.monotonic() + SENT_WITHIN_S
        while len(found := self.items("event")) < count and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return found


def items_of(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = body.split(b"\n")[1:]  # the first one is about the envelope
    for header, payload in zip(lines[::2], lines[1::2], strict=False):
        if header:
            yield json.loads(header)["type"], json.loads(payload)


@contextmanager
def sentry() -> Iterator[SentryServer]:
    server = SentryServer()
    with LoopbackServer(server) as loopback:
        server.port = loopback.port
        yield server
