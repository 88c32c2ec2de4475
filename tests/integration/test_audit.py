"""Every write leaves an audit event in its own transaction, or does not happen."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import Role
from app.models import Agent, AuditEvent
from tests.factories.agents import make_agent
from tests.factories.clients import log_in
from tests.factories.users import PASSWORD, make_user
from tests.integration.audit_cases import (
    BY_NOBODY,
    CASES,
    NEW_PASSWORD,
    NO_EVENT,
)
from tests.integration.audit_requests import API
from tests.integration.audit_world import World
from tests.integration.doors import doors_of


async def newest(session: AsyncSession, after: int) -> list[AuditEvent]:
    statement = select(AuditEvent).where(AuditEvent.id > after).order_by(AuditEvent.id)
    return list(await session.scalars(statement))


async def last_id(session: AsyncSession) -> int:
    return await session.scalar(select(func.max(AuditEvent.id))) or 0


async def test_every_writing_route_has_a_case_here(app: FastAPI) -> None:
    writing = {door.name for door in doors_of(app) if door.writes}
    assert writing == set(CASES) | NO_EVENT


@pytest.mark.parametrize("door", CASES)
async def test_write_leaves_an_event_that_says_who_how_and_what(
    door: str,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
) -> None:
    user = await make_user(session, Role.SUPERUSER)
    await log_in(client, session, settings, user)
    path, options = await CASES[door](World(session, user, settings))
    before = await last_id(session)
    response = await client.request(door.split(" ", maxsplit=1)[0], path, **options)
    assert response.status_code in {200, 201, 202, 204, 303}, response.text[:2000]
    events = await newest(session, before)
    assert events, "the write left no audit event"
    for event in events:
        assert event.actor_user_id == (None if door in BY_NOBODY else user.id)
        assert event.via is (Via.API if path.startswith((API, "/v1/")) else Via.PAGE)
        assert event.request_id == response.headers["x-correlation-id"]
        assert event.ip == "127.0.0.1"
        assert all(len(pair) == 2 for pair in event.changes.values())
        for secret in (PASSWORD, NEW_PASSWORD, "argon2", user.hashed_password or "-"):
            assert secret not in str(event.changes)


async def test_change_is_recorded_from_old_to_new(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, max_tokens=1000)
    before = await last_id(session)
    change = {"max_tokens": 2000, "note": "needs room"}
    await api.patch(f"{API}/agents/{agent.id}", json=change)
    update_event, live_event = await newest(session, before)
    assert update_event.changes == {"max_tokens": [1000, 2000], "row_version": [1, 2]}
    assert update_event.reason == "needs room"
    assert update_event.label == agent.name
    assert live_event.changes == {"live_revision": [1, 2]}
    assert update_event.actor_api_key_id is not None


@pytest.mark.parametrize("change", [{}, {"max_tokens": 1000}, {"name": "Same-Name"}])
async def test_change_of_nothing_leaves_no_event(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, change: dict[str, Any]
) -> None:
    agent = await make_agent(session, actor, name="same-name", max_tokens=1000)
    before = await last_id(session)
    assert (await api.patch(f"{API}/agents/{agent.id}", json=change)).status_code == 200
    assert await newest(session, before) == []


@pytest.mark.parametrize("body", [{"max_tokens": 1}, {"name": "taken"}, {"tool_ids": [99_999]}])
async def test_refused_change_leaves_neither_change_nor_event(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, body: dict[str, Any]
) -> None:
    await make_agent(session, actor, name="taken")
    agent = await make_agent(session, actor, name="first")
    before = await last_id(session)
    change = {"description": "never stored"} | body
    assert (await api.patch(f"{API}/agents/{agent.id}", json=change)).status_code in {409, 422}
    assert await newest(session, before) == []
    await session.refresh(agent)
    assert agent.description is None


async def test_event_and_change_are_rolled_back_together(
    api: httpx2.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services.agents import AgentService

    async def fail(*_: object) -> None:
        raise RuntimeError("after the event was added")

    monkeypatch.setattr(AgentService, "written_each", fail)
    before = await last_id(session)
    response = await api.post(f"{API}/agents", json={"name": "lost", "model": "m"})
    assert response.status_code == 500
    assert await newest(session, before) == []
    assert await session.scalar(select(Agent).where(Agent.name == "lost")) is None


async def test_secret_of_a_key_is_in_no_event(
    web: httpx2.AsyncClient, session: AsyncSession
) -> None:
    before = await last_id(session)
    data = {"name": "ci", "scopes": ["agents:read"]}
    token = (await web.post(f"{API}/api-keys", json=data)).json()["key"]
    (event,) = await newest(session, before)
    assert event.changes["secret_sha256"] == [None, "changed"]
    assert token not in str(event.changes)


@pytest.mark.parametrize("change", [update(AuditEvent).values(action="x"), delete(AuditEvent)])
async def test_events_can_be_neither_changed_nor_removed(
    session: AsyncSession, actor: Actor, change: Any
) -> None:
    await make_agent(session, actor)
    with pytest.raises(DBAPIError, match="append-only"):
        async with session.begin_nested():
            await session.execute(change)
