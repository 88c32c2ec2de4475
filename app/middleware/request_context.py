"""Gives each request an id, logs its end, and answers what nothing else has caught."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.exceptions import AppError

ErrorResponder = Callable[[Request, Exception], Awaitable[Response]]
CORRELATION_HEADER = "x-correlation-id"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
QUIET_PATHS = ("/static/", "/health", "/admin/statics/")

log = structlog.get_logger("greenroom.request")


def request_id_of(headers: Headers) -> str:
    """The caller's correlation id when it is harmless to log, else a new one."""
    given = headers.get(CORRELATION_HEADER, "")
    return given if ACCEPTED_ID.fullmatch(given) else uuid4().hex


class RequestContextMiddleware:
    """Binds the request id to every log line; turns stray exceptions into answers."""

    def __init__(self, app: ASGIApp, respond: ErrorResponder) -> None:
        self.app = app
        self.respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            request_id=request_id, method=scope["method"], path=scope["path"]
        )
        answer = Answer(send, request_id, scope["state"])
        started = time.perf_counter()
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:  # the last resort: nothing may leave as a traceback
            if answer.status is not None:
                log.exception("request broke off", status=answer.status)
                raise
            response = await self.respond(Request(scope, receive), error)
            await response(scope, receive, answer.send)
        finally:
            self._log_end(scope["path"], answer.status, time.perf_counter() - started)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A refused handshake is closed, which the server answers with 403."""
        try:
            await self.app(scope, receive, send)
        except AppError as error:
            log.info("websocket refused", path=scope["path"], code=error.code)
            await send({"type": "websocket.close", "code": 1008, "reason": error.code})

    @staticmethod
    def _log_end(path: str, status: int | None, seconds: float) -> None:
        level = log.debug if path.startswith(QUIET_PATHS) else log.info
        level("request", status=status, duration_ms=round(seconds * 1000, 1))


class Answer:
    """Notes the status on its way out; adds the request id, and what the request asked to add."""

    def __init__(self, send: Send, request_id: str, state: Mapping[str, Any]) -> None:
        self._send = send
        self._request_id = request_id
        self._state = state
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[CORRELATION_HEADER] = self._request_id
            headers.update(self._state.get("answer_headers", {}))
        await self._send(message)
