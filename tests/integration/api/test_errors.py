"""Every way a request can fail, and what its sender reads."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of
from tests.integration.envelope import assert_envelope

AGENTS = "/api/v1/agents"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/agents", "/api/v1/agents/1/nothing"])
async def test_unknown_route_is_missing(api: httpx2.AsyncClient, path: str) -> None:
    assert_envelope(await api.get(path), 404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", AGENTS, {"GET", "POST"}),
        ("PUT", f"{AGENTS}/1", {"GET", "PATCH", "DELETE"}),
        ("GET", f"{AGENTS}/1/restore", {"POST"}),
        ("DELETE", "/api/v1/executions", {"GET", "POST"}),
    ],
)
async def test_wrong_method_names_the_allowed_ones(
    api: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    response = await api.request(method, path)
    assert_envelope(response, 405, "METHOD_NOT_ALLOWED")
    named = {name.strip() for name in response.headers["allow"].split(",")}
    assert allowed <= named | {"HEAD"}


async def test_wrong_method_on_a_page_names_the_allowed_ones(web: httpx2.AsyncClient) -> None:
    response = await web.request("PUT", "/tools/new")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_missing_credentials_are_asked_for(client: httpx2.AsyncClient) -> None:
    response = await client.get(AGENTS)
    assert_envelope(response, 401, "UNAUTHORIZED")
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("status_path", ["/api/v1/nothing", f"{AGENTS}/999999", f"{AGENTS}/x"])
async def test_error_comes_as_problem_json_when_asked_for(
    api: httpx2.AsyncClient, status_path: str
) -> None:
    response = await api.get(status_path, headers={"Accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["instance"] == status_path
    assert body["request_id"] == response.headers["x-correlation-id"]
    assert {"type", "title", "detail", "errors"} <= set(body)


@pytest.mark.parametrize("given", ["abcdefgh", "req-1234567890", "A" * 64])
async def test_correlation_id_of_the_caller_comes_back(
    client: httpx2.AsyncClient, given: str
) -> None:
    response = await client.get("/health/live", headers={"X-Correlation-ID": given})
    assert response.headers["x-correlation-id"] == given


@pytest.mark.parametrize("given", ["short", "a" * 65, "a b c d e f", "evil\tvalue", "<script>xx"])
async def test_correlation_id_that_could_harm_a_log_is_replaced(
    client: httpx2.AsyncClient, given: str
) -> None:
    response = await client.get(AGENTS, headers={"X-Correlation-ID": given})
    assert len(response.headers["x-correlation-id"]) == 32
    assert response.json()["request_id"] == response.headers["x-correlation-id"]


async def test_each_request_gets_an_id_of_its_own(client: httpx2.AsyncClient) -> None:
    ids = {(await client.get("/health/live")).headers["x-correlation-id"] for _ in range(3)}
    assert len(ids) == 3


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 1024):
        yield b" " * 1024


@pytest.fixture
async def small(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """An app that takes bodies of 4 kB."""
    app = create_app(settings.model_copy(update={"max_body_bytes": 4096}))
    async with client_of(app) as client:
        yield client
    await app.state.database.dispose()


@pytest.mark.parametrize("path", [AGENTS, "/api/v1/executions/batch"])
async def test_body_over_the_limit_is_refused(small: httpx2.AsyncClient, path: str) -> None:
    assert_envelope(await small.post(path, content=b"x" * 5000), 413, "PAYLOAD_TOO_LARGE")


async def test_body_of_unknown_length_is_refused_at_the_limit(small: httpx2.AsyncClient) -> None:
    response = await small.post(AGENTS, content=chunks(8192))
    assert_envelope(response, 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("length", "status"), [("abc", 400), ("-1", 400), ("9" * 30, 413), ("١", 400)]
)
async def test_content_length_that_is_no_number_is_refused(
    small: httpx2.AsyncClient, length: str, status: int
) -> None:
    headers = {"Content-Length": length} if length.isascii() else {"Content-Length": "+1"}
    assert_envelope(await small.post(AGENTS, content=b"{}", headers=headers), status)


async def test_body_within_the_limit_is_read(small: httpx2.AsyncClient) -> None:
    assert_envelope(await small.post(AGENTS, content=chunks(2048)), 401)


def unreachable_urls(folder: Path) -> list[str]:
    return [
        "postgresql+asyncpg://nobody@127.0.0.1:1/none",
        f"postgresql+asyncpg://nobody@/none?host={folder}",
        "postgresql+asyncpg://nobody@no-such-host.invalid/none",
    ]


@pytest.fixture(params=[0, 1, 2], ids=["closed port", "no socket", "no such host"])
async def without_database(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> AsyncIterator[FastAPI]:
    url = SecretStr(unreachable_urls(tmp_path)[request.param])
    app = create_app(settings.model_copy(update={"database_url": url}))
    yield app
    await app.state.database.dispose()


async def test_unreachable_database_is_503_with_retry_after(without_database: FastAPI) -> None:
    async with client_of(without_database) as client:
        key = "gr_" + "0" * 43
        from app.core.security import token_checksum

        headers = {"X-API-Key": key + token_checksum(key)}
        response = await client.get(AGENTS, headers=headers)
        assert_envelope(response, 503, "DATABASE_ERROR")
        assert int(response.headers["retry-after"]) > 0


async def test_unreachable_database_is_an_error_page_for_people(without_database: FastAPI) -> None:
    async with client_of(without_database) as client:
        response = await client.post("/login", data={"email": "a@example.com", "password": "x"})
        assert response.status_code == 503
        assert "database is not reachable" in response.text
        assert int(response.headers["retry-after"]) > 0


async def test_not_ready_without_a_database_but_alive(without_database: FastAPI) -> None:
    async with client_of(without_database) as client:
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["status"] == "not ready"
        assert "postgresql" not in ready.text
        assert (await client.get("/health/live")).status_code == 200


async def test_unexpected_error_is_500_with_the_request_id_and_nothing_else(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*_: object) -> None:
        raise RuntimeError("secret insides: SELECT * FROM users")

    monkeypatch.setattr("app.api.deps.recognise_key", explode)
    async with client_of(app) as client:
        response = await client.get(AGENTS, headers={"X-API-Key": "gr_x"})
        assert_envelope(response, 500, "INTERNAL_ERROR")
        assert "secret insides" not in response.text
