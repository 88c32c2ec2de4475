"""Lets watchers follow requests; there only where something watches."""

from collections.abc import Sequence
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.watchers import SeenRequest, Watcher
from app.middleware.request_context import WITHOUT_HEADERS
from app.middleware.routes import route_of

# What is asked for all the time and says nothing.
UNWATCHED = ("/static/", "/admin/statics/", "/health", "/metrics")
TAKES_SPANS = "/v1/"


class WatchMiddleware:
    """Outside of what answers stray errors, so that their reports belong to the request, too."""

    def __init__(self, app: ASGIApp, watchers: Sequence[Watcher]) -> None:
        self.app = app
        self.watchers = watchers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(UNWATCHED):
            await self.app(scope, receive, send)
            return
        takes_spans = scope["path"].startswith(TAKES_SPANS)
        seen = SeenRequest(scope.get("method", "WS"), Headers(scope=scope), takes_spans)

        async def noting(message: Message) -> None:
            if message["type"].endswith("http.response.start"):
                seen.status = message["status"]
            elif message["type"] in WITHOUT_HEADERS:
                seen.status = seen.status or WITHOUT_HEADERS[message["type"]]
            await send(message)

        with ExitStack() as following:
            for watcher in self.watchers:
                following.enter_context(watcher.request(seen))
            state = scope.setdefault("state", {})
            state["log_facts"] = seen.facts
            try:
                await self.app(scope, receive, noting)
            finally:
                seen.route, seen.request_id = route_of(scope), state.get("request_id")
