"""uvicorn's server with an end that no request notices.

Told to stop (SIGTERM), it says at ``/health/ready`` that it is leaving and goes on answering for a
while, one request for each connection, so that proxies turn to others. Then it takes in who waits
at the door, shuts it, ends sockets with 1012 (come again), and lets the answers under way end.
Ctrl-C skips the first part.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import uvicorn

from app.core.config import Settings
from app.serving.config import WebConfig
from app.serving.requests import RequestProtocol
from app.serving.sockets import SocketProtocol

LAST_CALL_S = 6.0  # before answers are cut off


def web_config(app: Any, settings: Settings, **options: Any) -> WebConfig:  # as uvicorn has them
    return WebConfig(app, settings, http=RequestProtocol, ws=SocketProtocol, **options)


class WebServer(uvicorn.Server):
    """One web process."""

    config: WebConfig

    def __init__(self, config: WebConfig) -> None:
        super().__init__(config)
        self._leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        stopping = self.config.stopping
        if sig == signal.SIGTERM and not stopping.has_begun and self.config.drain_s:
            stopping.begin()
            self._drain()
            return
        stopping.begin()
        super().handle_exit(sig, frame)

    def _drain(self) -> None:
        self.config.is_draining = True
        self._leave_at = time.monotonic() + self.config.drain_s

    async def on_tick(self, counter: int) -> bool:
        wants_to_leave = await super().on_tick(counter)
        if self.should_exit:
            return True
        if wants_to_leave:  # it has served its number of requests
            vars(self)["limit_max_requests"] = None  # and says so once
            self._drain()
        return self._leave_at is not None and time.monotonic() >= self._leave_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.is_draining = True
        await self._take_in(sockets or [])
        calling = asyncio.create_task(self._last_call())
        try:
            await super().shutdown()
        finally:
            calling.cancel()

    async def _take_in(self, listeners: Sequence[socket.socket]) -> None:
        """Who has connected and was not yet let in would be turned away when the door is shut."""
        doors = [listener.dup() for listener in listeners]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # the event loop lets go of them
        loop = asyncio.get_running_loop()
        for connection in [waiting for door in doors for waiting in accept_all(door)]:
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> RequestProtocol:
        return RequestProtocol(self.config, self.server_state, self.lifespan.state)

    async def _last_call(self) -> None:
        await asyncio.sleep(max(0.0, (self.config.timeout_graceful_shutdown or 0) - LAST_CALL_S))
        await self.config.stopping.last_call()


def accept_all(door: socket.socket) -> list[socket.socket]:
    """Everyone who waits there; closes it."""
    found = []
    door.setblocking(False)
    with contextlib.suppress(OSError):  # above all, that nobody waits any more
        while True:
            connection, _ = door.accept()
            connection.setblocking(False)
            found.append(connection)
    door.close()
    return found
