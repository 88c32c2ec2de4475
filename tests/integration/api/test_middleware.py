"""What surrounds every request: hosts, headers, and the same-origin rule."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Message, Scope

from app.core.config import Settings
from app.exceptions import Forbidden
from app.middleware.same_origin import SameOriginMiddleware
from app.models import User
from tests.conftest import client_of
from tests.factories.clients import key_headers, log_in
from tests.integration.envelope import assert_envelope

AGENTS = "/api/v1/agents"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::1", "a@b"])
async def test_foreign_host_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    assert_envelope(await client.get(AGENTS, headers={"Host": host}), 400, "BAD_HOST")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
async def test_own_host_is_served(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get(AGENTS, headers={"Host": host})).status_code == 401


async def raw(app: FastAPI, headers: list[tuple[bytes, bytes]], path: str = AGENTS) -> int:
    """The status of a request with exactly these headers."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"localhost"), (b"host", b"localhost")],
        [(b"host", b"localhost"), (b"host", b"evil.example")],
        [(b"host", b"\xff\xfe")],
    ],
)
async def test_absent_duplicate_or_garbled_host_is_refused(
    app: FastAPI, headers: list[tuple[bytes, bytes]]
) -> None:
    assert await raw(app, headers) == 400


async def test_probe_by_address_may_ask_for_health(app: FastAPI) -> None:
    assert await raw(app, [(b"host", b"10.0.0.7")], "/health/live") == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login", 200),
        ("GET", "/", 303),
        ("GET", "/no-such-page", 404),
        ("GET", "/api/v1/no-such-route", 404),
        ("GET", AGENTS, 401),
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/css/greenroom.css", 200),
        ("GET", "/static/no-such-file", 404),
        ("GET", "/admin/", 303),
    ],
)
async def test_every_answer_carries_the_security_headers(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    assert response.status_code in {status, 302 if status == 303 else status}
    assert_secure(response)


def assert_secure(response: httpx2.Response) -> None:
    headers = response.headers
    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"]
    assert "server" not in headers


async def test_refusals_of_the_middleware_carry_the_security_headers(
    client: httpx2.AsyncClient,
) -> None:
    evil = await client.get(AGENTS, headers={"Host": "evil.example"})
    large = await client.post(AGENTS, headers={"Content-Length": "999999999"})
    foreign = await client.post(AGENTS, headers={"Sec-Fetch-Site": "cross-site"})
    assert [r.status_code for r in (evil, large, foreign)] == [400, 413, 403]
    for response in (evil, large, foreign):
        assert_secure(response)


@pytest.mark.parametrize("end", ["/evil", "?evil", "#evil", ":evil", "@evil.example", " evil"])
async def test_host_is_a_name_and_a_port(client: httpx2.AsyncClient, end: str) -> None:
    host = client.base_url.host
    assert (await client.get("/login", headers={"Host": host})).status_code == 200
    assert (await client.get("/login", headers={"Host": host + end})).status_code == 400


async def test_a_500_carries_the_security_headers(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.api.deps.recognise_key", explode)
    async with client_of(app) as client:
        response = await client.get(AGENTS, headers={"X-API-Key": "gr_x"})
    assert response.status_code == 500
    assert_secure(response)


REFUSED = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:81"},
    {"Origin": "null"},
    {"Origin": ""},
    {},
    {"Authorization": "Basic dXNlcjpwdw==", "Sec-Fetch-Site": "cross-site"},
]
WELCOME = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
]


async def change(
    app: FastAPI, session: AsyncSession, settings: Settings, user: User, headers: dict[str, str]
) -> int:
    async with client_of(app) as browser:
        await log_in(browser, session, settings, user)
        del browser.headers["Sec-Fetch-Site"]
        response = await browser.post(AGENTS, json={"name": "x"}, headers=headers)
        return response.status_code


@pytest.mark.parametrize("headers", REFUSED, ids=str)
async def test_change_that_another_site_asks_for_is_refused(
    app: FastAPI, session: AsyncSession, settings: Settings, staff: User, headers: dict[str, str]
) -> None:
    assert await change(app, session, settings, staff, headers) == 403


@pytest.mark.parametrize("headers", WELCOME, ids=str)
async def test_change_from_our_own_pages_is_made(
    app: FastAPI, session: AsyncSession, settings: Settings, staff: User, headers: dict[str, str]
) -> None:
    # 422: it reached the route, which misses a field.
    assert await change(app, session, settings, staff, headers) == 422


@pytest.mark.parametrize("headers", REFUSED[:-1], ids=str)
async def test_request_with_a_key_is_exempt(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, headers: dict[str, str]
) -> None:
    key = await key_headers(session, staff)
    response = await client.post(AGENTS, json={"name": "x"}, headers=headers | key)
    assert response.status_code == 422


@pytest.mark.parametrize("headers", REFUSED, ids=str)
async def test_reading_is_not_bound_to_a_site(
    web: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await web.get(AGENTS, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/logout", "/logout/", "/admin/logout", "/admin/agent/action/pause", "/login"]
)
async def test_change_under_any_method_is_bound_to_our_site(
    web: httpx2.AsyncClient, path: str
) -> None:
    method = "POST" if path == "/login" else "GET"
    foreign = await web.request(method, path, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403


@pytest.mark.parametrize(("site", "welcome"), [("cross-site", False), ("same-origin", True)])
async def test_websocket_is_bound_to_our_site(site: str, welcome: bool) -> None:
    reached: list[Scope] = []

    async def inner(scope: Scope, _receive: object, _send: object) -> None:
        reached.append(scope)

    async def nothing(_: Message) -> None:
        return None

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    guard = SameOriginMiddleware(inner, frozenset({"greenroom"}), None)
    headers = [(b"host", b"localhost"), (b"sec-fetch-site", site.encode())]
    scope: Scope = {"type": "websocket", "path": "/ws", "scheme": "ws", "headers": headers}
    if welcome:
        await guard(scope, receive, nothing)
    else:
        with pytest.raises(Forbidden):
            await guard(scope, receive, nothing)
    assert bool(reached) is welcome


async def test_refused_websocket_is_closed_not_crashed(app: FastAPI) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"evil.example")]
    scope: Scope = {"type": "websocket", "path": "/ws", "scheme": "ws", "headers": headers}
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_larger_answers_are_compressed_for_who_can_read_it(web: httpx2.AsyncClient) -> None:
    compressed = await web.get("/agents", headers={"Accept-Encoding": "gzip"})
    plain = await web.get("/agents", headers={"Accept-Encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in compressed.headers["vary"]
    assert "HX-Request" in compressed.headers["vary"]
    assert compressed.text.count("<tr") == plain.text.count("<tr")
    small = await web.get("/health/live", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers
