"""A POST with an Idempotency-Key answers the same however often it is sent."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import AuditEvent, IdempotencyKey, User
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data
from tests.integration.envelope import assert_envelope

AGENTS = "/api/v1/agents"
AGENT = {"name": "bot", "model": "gpt-4o"}
KEY = {"Idempotency-Key": "order-7"}


async def events(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(AuditEvent)) or 0


async def bodies(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    agent = await make_agent(session, actor)
    return {
        "agents": AGENT,
        "tools": {"name": "find"},
        "executions": execution_data(agent, external_id=None),
    }


@pytest.mark.parametrize("resource", ["agents", "tools", "executions"])
async def test_repeated_post_answers_as_the_first_and_writes_nothing(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, resource: str
) -> None:
    url, data = f"/api/v1/{resource}", (await bodies(session, actor))[resource]
    first = await api.post(url, json=data, headers=KEY)
    assert first.status_code == 201
    before = await events(session)
    again = await api.post(url, json=data, headers=KEY)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert await events(session) == before


async def test_key_used_for_another_request_is_refused(api: httpx2.AsyncClient) -> None:
    await api.post(AGENTS, json=AGENT, headers=KEY)
    other = await api.post(AGENTS, json=AGENT | {"name": "other"}, headers=KEY)
    assert_envelope(other, 422, "VALIDATION_ERROR")
    tool = await api.post("/api/v1/tools", json={"name": "find"}, headers=KEY)
    assert tool.status_code == 201


async def test_refused_request_may_be_corrected_under_its_key(api: httpx2.AsyncClient) -> None:
    assert (await api.post(AGENTS, json=AGENT | {"max_tokens": 1}, headers=KEY)).status_code == 422
    assert (await api.post(AGENTS, json=AGENT, headers=KEY)).status_code == 201


async def test_keys_of_two_actors_are_apart(
    api: httpx2.AsyncClient, member_api: httpx2.AsyncClient
) -> None:
    first = await api.post(AGENTS, json=AGENT, headers=KEY)
    second = await member_api.post(AGENTS, json=AGENT, headers=KEY)
    assert first.json()["id"] != second.json()["id"]


async def test_expired_key_starts_anew(api: httpx2.AsyncClient, session: AsyncSession) -> None:
    first = await api.post(AGENTS, json=AGENT, headers=KEY)
    await api.delete(first.headers["location"])
    await session.execute(update(IdempotencyKey).values(expires_at=func.now()))
    second = await api.post(AGENTS, json=AGENT, headers=KEY)
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_key_outside_the_rules_is_refused(api: httpx2.AsyncClient, key: str) -> None:
    response = await api.post(AGENTS, json=AGENT, headers={"Idempotency-Key": key})
    assert_envelope(response, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("path", "data", "secret"),
    [
        ("api-keys", {"name": "ci", "scopes": ["agents:read"]}, "key"),
        ("users", {"email": "new@example.com", "full_name": "New One"}, "link"),
    ],
)
async def test_secret_of_an_answer_is_in_no_repetition(
    app: FastAPI,
    session: AsyncSession,
    superuser: User,
    path: str,
    data: dict[str, Any],
    secret: str,
) -> None:
    pair = await RefreshTokenService(session, actor_for(superuser), app.state.settings).open(
        superuser, None
    )
    headers = {"Authorization": f"Bearer {pair.access_token}"} | KEY
    async with client_of(app, headers=headers) as client:
        first = await client.post(f"/api/v1/{path}", json=data)
        assert first.status_code == 201, first.text
        before = await events(session)
        again = await client.post(f"/api/v1/{path}", json=data)
    assert again.status_code == 201
    assert again.headers["location"] == first.headers["location"]
    assert again.json() == first.json() | {secret: None}
    assert await events(session) == before
    kept = (await session.scalars(select(IdempotencyKey))).one()
    assert first.json()[secret]
    assert first.json()[secret] not in str(kept.body)
