"""Headers that every answer carries, errors included."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No inline script or style, no eval, nothing from elsewhere: vendored files make it possible.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
IMMUTABLE = "public, max-age=31536000, immutable"
# Versioned by folder name or by query, so a browser never needs to ask again.
IMMUTABLE_PATHS = ("/static/", "/admin/statics/")


class SecurityHeadersMiddleware:
    """Adds the headers above; pages and JSON are never kept by a shared cache."""

    def __init__(self, app: ASGIApp, strict_transport: bool) -> None:
        self.app = app
        self.strict_transport = strict_transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message), scope["path"], message["status"])
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _add(self, headers: MutableHeaders, path: str, status: int) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if self.strict_transport:
            headers["strict-transport-security"] = STRICT_TRANSPORT
        if path.startswith(IMMUTABLE_PATHS) and status in (200, 304):
            headers["cache-control"] = IMMUTABLE
        elif "cache-control" not in headers:
            headers["cache-control"] = "private, no-cache"
