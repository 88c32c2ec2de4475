"""Refuses changes that another site asks a staff member's browser for.

Go's CrossOriginProtection with three stricter points: SQLAdmin's actions and the logout count as
changes whatever their method, a cookie without either header is refused, and WebSockets and the
login are covered too. Browsers send Sec-Fetch-Site to https and loopback only, hence the Origin.
"""

import re

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from app.exceptions import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CHANGES_BY_ANY_METHOD = re.compile(r"/logout/?|/admin/logout/?|/admin/.*/action/.*")
# The only places where a key counts; elsewhere the cookie decides, key or not.
KEY_PATHS = ("/api/", "/v1/")
OWN_SITES = frozenset({"same-origin", "none"})
REFUSED = "This request came from another site, so it was refused."


class SameOriginMiddleware:
    """Requests that carry a key or token are exempt: no browser adds those by itself."""

    def __init__(
        self, app: ASGIApp, cookie_names: frozenset[str], public_origin: str | None
    ) -> None:
        self.app = app
        self.cookie_names = cookie_names
        self.public_origin = public_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self._changes_something(scope):
            headers = Headers(scope=scope)
            if not self._is_own(headers, scope):
                raise Forbidden(REFUSED)
        await self.app(scope, receive, send)

    @staticmethod
    def _changes_something(scope: Scope) -> bool:
        if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
            return True
        return CHANGES_BY_ANY_METHOD.fullmatch(scope["path"]) is not None

    def _is_own(self, headers: Headers, scope: Scope) -> bool:
        # Basic credentials are different: a browser does add those by itself.
        bearer = headers.get("authorization", "").lower().startswith("bearer ")
        if ("x-api-key" in headers or bearer) and scope["path"].startswith(KEY_PATHS):
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in OWN_SITES
        origin = headers.get("origin")
        if origin is not None:
            return origin in self._own_origins(headers, scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        return not self.cookie_names & cookies.keys()

    def _own_origins(self, headers: Headers, scope: Scope) -> set[str]:
        secure = scope.get("scheme") in ("https", "wss")
        own = {f"{'https' if secure else 'http'}://{headers.get('host', '')}"}
        return own if self.public_origin is None else own | {self.public_origin}
