"""A webhook receiver on loopback: keeps what it was sent, and answers as the test says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response

from app.core.config import Settings
from tests.loopback import LoopbackServer

LOOPBACK = [ip_network("127.0.0.0/8")]


@dataclass(slots=True)
class Received:
    """One request: where to, its headers and its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> dict[str, Any]:
        """The message, as a receiver reads it. Raise when its signature is not of this secret."""
        message: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return message

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """``answers`` are used up one after the other; then everything is taken."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def will_answer(
        self, status: int, headers: Mapping[str, str] | None = None, text: str = ""
    ) -> None:
        self.answers.append(Response(text, status, headers))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        request = Request(scope, receive)
        body = await request.body()
        self.received.append(Received(request.url.path, dict(request.headers), body))
        answer = self.answers.pop(0) if self.answers else Response(status_code=204)
        await answer(scope, receive, send)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with LoopbackServer(receiver) as server:
        receiver.url = f"{server.url}/hooks"
        yield receiver


def reaching_loopback(settings: Settings) -> Settings:
    """The operator allows webhooks to this machine."""
    return settings.model_copy(update={"outbound_allowed_networks": LOOPBACK})
