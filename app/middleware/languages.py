"""The language of each page: what the browser asks for, where more than one is installed.

Who is logged in may have chosen another; their session brings it (``find_staff``).
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.texts import best_language, catalogues, speak


class LanguagesMiddleware:
    """Pages speak the reader's language; what programs read (``english``) is English."""

    def __init__(self, app: ASGIApp, english: tuple[str, ...]) -> None:
        self.app = app
        self.english = english

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and len(catalogues()) > 1:
            is_page = not scope["path"].startswith(self.english)
            accepted = Headers(scope=scope).get("accept-language", "") if is_page else ""
            speak(best_language(accepted))
        await self.app(scope, receive, send)
