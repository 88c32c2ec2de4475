"""Every line says to which request it belongs, whoever writes it, and none holds a credential."""

import logging
from typing import Any

import httpx2
import pytest
import structlog
from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from app.core.config import Settings
from app.core.redaction import REDACTED, Redaction
from app.core.secret_names import is_secret
from app.middleware.request_context import RequestContextMiddleware
from tests.conftest import settings_for
from tests.logs import logging_to

URL = "postgresql+asyncpg://greenroom:canary%40database@127.0.0.1:1/x"
ID = "caller-0123456789"
KEY = "gr_0123456789abcdefghijABCDEFGHIJ0123456789abcd"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLWl0"


class Body(BaseModel):
    number: int


async def work(request: Request) -> Response:
    structlog.contextvars.bind_contextvars(actor="user:7")
    logging.getLogger("uvicorn.error").warning("a library of %s", "ours")
    structlog.get_logger("greenroom.test").info("ours", password="canary-1", nested={"token": "x"})
    return PlainTextResponse(str(request.path_params["item_id"]))


async def break_off(_: Request) -> Response:
    Body.model_validate({"number": "-".join(("canary", "input"))})  # not as in the source
    return Response()


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


async def respond(_: HTTPConnection, error: Exception) -> Response:
    structlog.get_logger("greenroom.errors").error("unexpected error", exc_info=error)
    return PlainTextResponse("Sorry.", 500)


APP = Starlette(
    routes=[
        Route("/items/{item_id}", work, methods=["GET", "POST"]),
        Route("/broken", break_off),
        WebSocketRoute("/talk", talk),
    ],
    middleware=[Middleware(RequestContextMiddleware, respond=respond)],
)


@pytest.fixture
def settings() -> Settings:
    return settings_for(URL, smtp_password=SecretStr("canary-mail-server"))


async def asked(method: str, path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=APP, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers={"X-Correlation-ID": ID})


async def test_every_line_of_a_request_carries_its_id_whoever_writes_it(settings: Settings) -> None:
    with logging_to(settings) as written:
        answer = await asked("POST", "/items/7")
    assert answer.headers["X-Correlation-ID"] == ID
    lines = {line["event"]: line for line in written.lines}
    assert list(lines) == ["request began", "a library of ours", "ours", "request"]
    assert {line["request_id"] for line in lines.values()} == {ID}
    assert lines["a library of ours"]["logger"] == "uvicorn.error"
    assert lines["a library of ours"]["level"] == "warning"
    end = lines["request"]
    assert (end["method"], end["path"]) == ("POST", "/items/7")
    assert (end["route"], end["status"], end["actor"]) == ("/items/{item_id}", 200, "user:7")
    assert end["duration_ms"] >= 0
    assert (lines["ours"]["password"], lines["ours"]["nested"]["token"]) == (REDACTED, REDACTED)


async def test_looking_is_told_of_once_it_ends(settings: Settings) -> None:
    with logging_to(settings) as written:
        await asked("GET", "/items/7")
    assert not written.said("request began")
    assert len(written.said("request")) == 1


@pytest.mark.parametrize("is_json", [True, False])
async def test_traceback_repeats_no_input(settings: Settings, is_json: bool) -> None:
    with logging_to(settings, is_json=is_json) as written:
        assert (await asked("GET", "/broken")).text == "Sorry."
    assert "ValidationError" in written.text
    assert "canary-input" not in written.text


async def test_life_of_a_socket_is_told(settings: Settings) -> None:
    scope: dict[str, Any] = {"type": "websocket", "path": "/talk", "headers": [], "root_path": ""}

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        pass

    with logging_to(settings) as written:
        await APP(scope, receive, send)
    [began], [end] = written.said("request began"), written.said("request")
    assert began["request_id"] == end["request_id"]
    assert (end["method"], end["route"], end["status"]) == ("WS", "/talk", 101)


def test_sql_on_demand_is_written_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(settings.model_copy(update={"log_sql": True})) as written:
        logging.getLogger("sqlalchemy.engine.Engine").info("SELECT $1")
    assert len(written.said("SELECT $1")) == 1
    assert not capsys.readouterr().out
    logging.getLogger("sqlalchemy.engine.Engine").setLevel(logging.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        f"sent with {KEY}",
        f"Authorization: Bearer {JWT}",
        f"token {JWT} has expired",
        "signed with whsec_c2VjcmV0c2VjcmV0c2VjcmV0",
        "provider says: bad key sk-proj-0123456789abcdef",
        "cannot connect to redis://default:canary-redis@cache:6379/0",
        "GET /password/set?token=canary-link&x=1",
        "Cookie: greenroom=canary-session; theme=dark",
        "DETAIL:  Key (email)=(canary@example.com) already exists.",
        "[SQL: SELECT $1]\n[parameters: ('canary-parameter', 7)]",
        "the mail server refused canary-mail-server",
        "password authentication failed for canary@database",
    ],
)
def test_what_looks_like_a_credential_is_masked_in_any_text(settings: Settings, text: str) -> None:
    masked = Redaction.of(settings).text(text)
    assert REDACTED in masked
    assert "canary" not in masked
    assert KEY not in masked
    assert JWT not in masked
    assert "c2VjcmV0" not in masked
    assert "sk-proj-0" not in masked


@pytest.mark.parametrize(
    "text",
    ["max_tokens=1000", "agent support-bot", "/agents/7?tag=a&page=2", "https://example.com/a:b"],
)
def test_what_is_no_credential_stays(settings: Settings, text: str) -> None:
    assert Redaction.of(settings).text(text) == text


def test_numbers_of_tokens_are_no_secrets() -> None:
    assert is_secret("X-API-Key")
    assert is_secret("smtp_password")
    assert not is_secret("input_tokens")


def test_line_is_not_masked_for_good_by_what_links_need(settings: Settings) -> None:
    """A link to choose a password, where no mail server is configured."""
    with logging_to(settings) as written:
        structlog.get_logger("greenroom.mail").warning("no mail server", link="/set?token=abc")
    assert written.lines[0]["link"] == "/set?token=abc"
