"""Real HTTP servers on loopback, each in a thread of its own, for what the product calls."""

import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import uvicorn

App = Callable[[Any, Any, Any], Awaitable[None]]  # ASGI


class LoopbackServer:
    """Serves an ASGI app while the block lasts; usable from tests with any event loop or none."""

    def __init__(self, app: App) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", timeout_graceful_shutdown=1, ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
