"""Bounds the request body before anything reads it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.exceptions import BadRequest, PayloadTooLarge

DRAINED_BYTES, DRAIN_WITHIN_S = 64 * 1024 * 1024, 5.0


class BodyLimitMiddleware:
    """A declared length is checked; a body of unknown length is read here, up to the limit.

    Those of ``paths``, which may be large, are only counted while their routes read them, which is
    once it is known who sends them.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, paths: Mapping[str, int]) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.paths = paths  # those with another limit, whose routes read the body themselves

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self.paths.get(scope["path"], self.max_bytes)
        try:
            if "content-length" in headers:
                self._check(headers["content-length"], limit)
            elif "transfer-encoding" in headers and scope["path"] in self.paths:
                receive = self._counted(receive, limit)
            elif "transfer-encoding" in headers:
                receive = Replay(await self._read(receive, limit), receive)
        except PayloadTooLarge:
            if "expect" not in headers:  # else it waits for our word before it sends anything
                await drain(receive)
            raise
        await self.app(scope, receive, send)

    def _check(self, declared: str, limit: int) -> None:
        if not (declared.isascii() and declared.isdigit()):
            raise BadRequest("The Content-Length header is not a number.")
        if len(declared) > 18 or int(declared) > limit:
            raise self._too_large(limit)

    def _counted(self, receive: Receive, limit: int) -> Receive:
        size = 0

        async def counting() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                if message.get("more_body"):
                    await drain(receive)
                raise self._too_large(limit)
            return message

        return counting

    async def _read(self, receive: Receive, limit: int) -> list[Message]:
        messages: list[Message] = []
        size = 0
        while True:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            if size > limit:
                raise self._too_large(limit)
            if not message.get("more_body"):
                return messages

    @staticmethod
    def _too_large(limit: int) -> PayloadTooLarge:
        return PayloadTooLarge(f"The request body may have at most {limit:,} bytes.")


async def drain(receive: Receive) -> None:
    """Let a client write on for a while: many read no answer before they are done, or read none
    at all once the connection is reset under what they write.
    """
    left = DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_WITHIN_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


class Replay:
    """Hands out messages that were read before, then goes on with the connection."""

    def __init__(self, messages: list[Message], receive: Receive) -> None:
        self._messages = messages[::-1]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._messages.pop() if self._messages else await self._receive()
