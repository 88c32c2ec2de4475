"""Bounds the request body before anything reads it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.exceptions import BadRequest, PayloadTooLarge


class BodyLimitMiddleware:
    """A declared length is checked; a body of unknown length is read here, up to the limit."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "content-length" in headers:
            self._check(headers["content-length"])
        elif "transfer-encoding" in headers:
            receive = Replay(await self._read(receive), receive)
        await self.app(scope, receive, send)

    def _check(self, declared: str) -> None:
        if not (declared.isascii() and declared.isdigit()):
            raise BadRequest("The Content-Length header is not a number.")
        if len(declared) > 18 or int(declared) > self.max_bytes:
            raise self._too_large()

    async def _read(self, receive: Receive) -> list[Message]:
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > self.max_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return messages

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The request body may have at most {self.max_bytes:,} bytes.")


class Replay:
    """Hands out messages that were read before, then goes on with the connection."""

    def __init__(self, messages: list[Message], receive: Receive) -> None:
        self._messages = messages[::-1]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop() if self._messages else await self._receive()
