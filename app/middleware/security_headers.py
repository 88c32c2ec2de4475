"""Headers that every answer carries, errors included."""

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
STRICT = "strict-transport-security"
STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"
CACHE = b"cache-control"
IMMUTABLE = b"public, max-age=31536000, immutable"
# Versioned by folder name or by query, so a browser never needs to ask again.
IMMUTABLE_PATHS = ("/static/", "/admin/statics/")


class SecurityHeadersMiddleware:
    """Adds the headers above; pages and JSON are never kept by a shared cache."""

    def __init__(self, app: ASGIApp, strict_transport: bool) -> None:
        self.app = app
        added = HEADERS | ({STRICT: STRICT_TRANSPORT} if strict_transport else {})
        self._added = [(name.encode(), value.encode()) for name, value in added.items()]
        self._names = frozenset(name for name, _ in self._added)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            # Also the refusal of a socket's handshake: websocket.http.response.start.
            if message["type"].endswith("http.response.start"):
                message["headers"] = self._with_ours(message, scope["path"])
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _with_ours(self, message: Message, path: str) -> list[tuple[bytes, bytes]]:
        """The answer's headers and ours, which win."""
        given = [(name.lower(), value) for name, value in message.get("headers", ())]
        headers = [pair for pair in given if pair[0] not in self._names] + self._added
        if path.startswith(IMMUTABLE_PATHS) and message["status"] in (200, 304):
            return [*(pair for pair in headers if pair[0] != CACHE), (CACHE, IMMUTABLE)]
        if all(name != CACHE for name, _ in headers):
            headers.append((CACHE, b"private, no-cache"))
        return headers
