"""HEAD on a page is answered as GET, without the body: same door, same status, same headers."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """For everything but ``but_for``, whose routes say themselves what they answer."""

    def __init__(self, app: ASGIApp, but_for: tuple[str, ...]) -> None:
        self.app = app
        self.but_for = but_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or scope["path"].startswith(self.but_for):
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A copy: the server looks at its own for whether a body belongs to the answer.
        looking = {**scope, "method": "GET"}
        try:
            await self.app(looking, receive, send_head)
        finally:
            # Which route it was is counted and logged further out.
            scope.update({**looking, "method": "HEAD"})
