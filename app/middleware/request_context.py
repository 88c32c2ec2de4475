"""Gives each request an id, logs its life, and answers what nothing else has caught."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from app.core.meters import SILENT, Meters
from app.middleware.routes import route_of

ErrorResponder = Callable[[HTTPConnection, Exception], Awaitable[Response]]
CORRELATION_HEADER = "x-correlation-id"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
DENIAL = "websocket.http.response"
WITHOUT_HEADERS = {"websocket.accept": 101, "websocket.close": 403}
QUIET_PATHS = ("/static/", "/health", "/metrics", "/admin/statics/")
LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})

log = structlog.get_logger("greenroom.request")


def request_id_of(headers: Headers) -> str:
    """The caller's correlation id when it is harmless to log, else a new one."""
    given = headers.get(CORRELATION_HEADER, "")
    return given if ACCEPTED_ID.fullmatch(given) else uuid4().hex


def printable(text: str) -> str:
    """What a terminal shows and does not obey: control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class RequestContextMiddleware:
    """Binds the request id to every log line; turns stray exceptions into answers."""

    def __init__(self, app: ASGIApp, respond: ErrorResponder, meters: Meters = SILENT) -> None:
        self.app = app
        self.respond = respond
        self.meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        method = scope.get("method", "WS")
        structlog.contextvars.bind_contextvars(
            request_id=request_id,
            method=method,
            path=printable(scope["path"]),
            **scope["state"].get("log_facts", {}),
        )
        # What began and never ended is worth knowing of changes, and of sockets, which last.
        (log.debug if method in LOOKING else log.info)("request began")
        answer = Answer(send, request_id, scope["state"])
        started = time.perf_counter()
        if scope["type"] == "http":
            self.meters.request_began()
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:  # the last resort: nothing may leave as a traceback
            if answer.status is not None:
                log.exception("request broke off", status=answer.status)
                raise
            await self._refuse(scope, receive, answer, error)
        finally:
            self._ended(scope, answer.status, time.perf_counter() - started)

    async def _refuse(
        self, scope: Scope, receive: Receive, answer: "Answer", error: Exception
    ) -> None:
        """Answer in words; the handshake of a socket too, where the server can do that."""
        is_socket = scope["type"] == "websocket"
        asked = WebSocket(scope, receive, answer.send) if is_socket else Request(scope, receive)
        response = await self.respond(asked, error)
        if is_socket and DENIAL not in scope.get("extensions", {}):
            await answer.send({"type": "websocket.close", "code": 1008})
            return
        await response(scope, receive, answer.send)

    def _ended(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = route_of(scope)
        if scope["type"] == "http":
            self.meters.request_ended(scope["method"], route, status, seconds)
        else:  # it lasts for as long as somebody looks at a page
            self.meters.socket_ended(route, status)
        level = log.debug if scope["path"].startswith(QUIET_PATHS) else log.info
        level("request", route=route, status=status, duration_ms=round(seconds * 1000, 1))


class Answer:
    """Notes the status on its way out; adds the request id, and what the request asked to add.

    A socket that was accepted has the status 101, one that was closed instead 403.
    """

    def __init__(self, send: Send, request_id: str, state: Mapping[str, Any]) -> None:
        self._send = send
        self._request_id = request_id
        self._state = state
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] in WITHOUT_HEADERS:
            self.status = self.status or WITHOUT_HEADERS[message["type"]]
        if message["type"].endswith("http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[CORRELATION_HEADER] = self._request_id
            headers.update(self._state.get("answer_headers", {}))
        await self._send(message)
