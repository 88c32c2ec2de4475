"""Rate limits: counted for each key, person and address, over Redis or without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.rate_limits import RateLimits
from app.models import User
from tests.conftest import client_of
from tests.factories.api_keys import make_api_key
from tests.factories.clients import key_headers
from tests.integration.envelope import assert_envelope
from tests.redis_server import Redis

AGENTS = "/api/v1/agents"
FEW = {
    "rate_limit_read_per_minute": 5,
    "rate_limit_write_per_minute": 3,
    "rate_limit_report_per_minute": 4,
    "rate_limit_refused_per_minute": 6,
}


def limit(app: FastAPI, settings: Settings, **more: Any) -> None:
    app.state.rate_limits = RateLimits(settings.model_copy(update=FEW | more))


@pytest.fixture
def limited(app: FastAPI, settings: Settings) -> FastAPI:
    limit(app, settings)
    return app


@pytest.mark.usefixtures("limited")
async def test_answers_say_where_the_client_stands_until_the_limit(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    headers = await key_headers(session, staff)
    for left in (4, 3, 2, 1, 0):
        answer = await client.get(AGENTS, headers=headers)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-limit"] == "5"
        assert answer.headers["x-ratelimit-remaining"] == str(left)
        assert answer.headers["ratelimit-policy"] == '"read";q=5;w=60'
        assert answer.headers["ratelimit"].startswith(f'"read";r={left};t=')
    refused = await client.get(AGENTS, headers=headers)
    assert_envelope(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.usefixtures("limited")
async def test_keys_people_and_classes_of_routes_are_counted_apart(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    first, second = await key_headers(session, staff), await key_headers(session, staff)
    for _ in range(6):
        await client.get(AGENTS, headers=first)
    assert (await client.get(AGENTS, headers=first)).status_code == 429
    assert (await client.get(AGENTS, headers=second)).status_code == 200
    writes = [
        (await client.post(AGENTS, headers=first, json={"name": f"bot-{n}", "model": "m"}))
        for n in range(4)
    ]
    assert [answer.status_code for answer in writes] == [201, 201, 201, 429]
    reports = [
        (await client.post("/api/v1/executions", headers=first, json={})).status_code
        for _ in range(5)
    ]
    assert reports == [422] * 4 + [429]


@pytest.mark.usefixtures("limited")
async def test_refused_request_changes_nothing(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    headers = await key_headers(session, staff)
    for n in range(5):
        await client.post(AGENTS, headers=headers, json={"name": f"bot-{n}", "model": "m"})
    listed = (await client.get(AGENTS, headers=headers)).json()
    assert listed["total"] == 3


async def test_guessing_keys_from_one_address_ends(
    limited: FastAPI, client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    answers = [
        (await client.get(AGENTS, headers={"X-API-Key": f"gr_{n}"})).status_code for n in range(8)
    ]
    assert answers == [401] * 6 + [429] * 2
    _, token = await make_api_key(session, staff)
    blocked = await client.get(AGENTS, headers={"X-API-Key": token})
    assert_envelope(blocked, 429, "RATE_LIMIT_EXCEEDED")
    transport = httpx2.ASGITransport(app=limited, client=("192.0.2.9", 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as elsewhere:
        answer = await elsewhere.get(AGENTS, headers={"X-API-Key": token})
        assert answer.status_code == 200


@pytest.mark.usefixtures("limited")
async def test_revoked_key_that_is_sent_on_and_on_shuts_out_nobody_else_at_its_address(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    answers = [
        (await client.get(AGENTS, headers={"X-API-Key": "gr_revoked"})).status_code
        for _ in range(8)
    ]
    assert answers == [401] * 6 + [429] * 2
    answer = await client.get(AGENTS, headers=await key_headers(session, staff))
    assert answer.status_code == 200


@pytest.mark.usefixtures("limited")
async def test_pages_are_not_limited(web: httpx2.AsyncClient) -> None:
    assert {(await web.get("/agents")).status_code for _ in range(12)} == {200}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


async def test_two_processes_count_together_over_redis(
    app: FastAPI, settings: Settings, session: AsyncSession, staff: User, redis: Redis
) -> None:
    headers = await key_headers(session, staff)
    shared = {"redis_url": SecretStr(redis.url)}
    statuses = []
    async with client_of(app, headers=headers) as client:
        for _ in range(7):
            limit(app, settings, **shared)  # another process, as far as counting goes
            statuses.append((await client.get(AGENTS)).status_code)
    assert statuses == [200] * 5 + [429] * 2


async def test_without_redis_each_process_counts_and_says_so(
    app: FastAPI,
    settings: Settings,
    session: AsyncSession,
    staff: User,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = await key_headers(session, staff)
    limit(app, settings, redis_url=SecretStr(redis.url))
    redis.stop()
    async with client_of(app) as client:
        statuses = [(await client.get(AGENTS, headers=headers)).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2, "never open"
        health = await client.get("/health/ready")
        assert health.status_code == 200
        assert "does not answer" in health.json()["checks"]["redis"]
        assert caplog.text.count("Redis does not answer") == 1
        redis.start()
        app.state.rate_limits._ask_again_at = 0
        assert (await client.get(AGENTS, headers=headers)).status_code == 200
        assert "redis" not in (await client.get("/health/ready")).json()["checks"]
