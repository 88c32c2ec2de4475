"""``/metrics`` of a process that serves nothing else: the worker's, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from secrets import compare_digest
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CONTENT_TYPE_LATEST

from app.core.rate_limits import GUESS_AGAIN_S, RateLimits, address_name
from app.exceptions import Conflict, TooManyRequests, Unauthorized

ANSWER_WITHIN_S = 5


class ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    timeout = ANSWER_WITHIN_S

    def log_message(self, *_: object) -> None:
        """Scrapes are not worth a line."""


class MetricsServer:
    def __init__(self, exposition: Callable[[], bytes], token: str, limits: RateLimits) -> None:
        self._exposition = exposition
        self._wanted = f"Bearer {token}".encode()
        self._limits = limits
        # Limits are counted one request after the other, in a loop that nothing else can hold up.
        self._counting, self._one_by_one = asyncio.Runner(), threading.Lock()
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        return self._server.server_port if self._server else 0

    def start(self, host: str, port: int) -> None:
        """Raise ``Conflict`` where it cannot listen."""
        try:
            self._server = make_server(host, port, self._answer, ThreadingServer, QuietHandler)
        except OSError as error:
            said = (error.strerror or "not to be had").lower()
            raise Conflict(f"WORKER_METRICS_PORT {host}:{port}: {said}.") from None
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Blocks for up to half a second."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            with self._one_by_one:
                self._counting.close()

    def _answer(self, asked: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if asked["PATH_INFO"] != "/metrics":
            start("404 Not Found", [])
            return []
        try:
            with self._one_by_one:
                self._counting.run(self._require_token(asked))
        except Unauthorized:
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return []
        except TooManyRequests:
            start("429 Too Many Requests", [("Retry-After", str(GUESS_AGAIN_S))])
            return []
        start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [self._exposition()]

    async def _require_token(self, asked: WSGIEnvironment) -> None:
        """Raise ``Unauthorized``, or ``TooManyRequests`` for who keeps guessing."""
        given = str(asked.get("HTTP_AUTHORIZATION", ""))
        async with self._limits.guessing(address_name(asked.get("REMOTE_ADDR")), given):
            if not compare_digest(given.encode("latin-1"), self._wanted):
                raise Unauthorized("Send METRICS_TOKEN: Authorization: Bearer ...")
