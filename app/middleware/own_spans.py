"""Refuses spans of this very installation; there only where it exports some."""

from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.config import OWN_ENDPOINT
from app.core.own_spans import EXPORT_HEADER
from app.exceptions import BadRequest


class OwnSpansMiddleware:
    def __init__(self, app: ASGIApp, fingerprint: str) -> None:
        self.app = app
        self.fingerprint = fingerprint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            given = Headers(scope=scope).get(EXPORT_HEADER, "")
            if compare_digest(given.encode(), self.fingerprint.encode()):
                raise BadRequest(f"OTLP_ENDPOINT {OWN_ENDPOINT}.")
        await self.app(scope, receive, send)
