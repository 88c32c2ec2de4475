"""A list that is asked for by a remembered key is the list that anyone else gets."""

import httpx2
import pytest
from fastapi import FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.api import quick
from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Permission, Role
from app.core.rate_limits import RateLimits
from app.models import User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.users import make_user

LIST = "/api/v1/executions"
QUERIES = (
    "",
    "?limit=2",
    "?status=failed&status=succeeded",
    "?status=failed,running&limit=1",
    "?ids=1,2,987654321",
    "?q=hello",
    "?limit=0",
    "?limit=2&limit=3",
    "?nonsense=1",
    "?cursor=nonsense",
    "?since=yesterday",
    "?agent_id=x",
)


def remember(app: FastAPI) -> Database:
    """From now on changes are heard of, so that keys may be remembered."""
    database: Database = app.state.database
    database.memories.heard(is_heard=True)
    return database


async def answer(client: httpx2.AsyncClient, query: str) -> tuple[int, object, str | None]:
    found = await client.get(LIST + query)
    body = found.json()
    if "error" in body:
        body = body["error"]
    return found.status_code, body, found.headers.get("x-ratelimit-limit")


async def make_runs(session: AsyncSession, member: User) -> None:
    for user in (member, await make_user(session, Role.MEMBER)):
        actor = actor_for(user)
        agent = await make_agent(session, actor)
        for _ in range(3):
            await make_execution(session, actor, agent, input="hello")


async def test_remembered_keys_are_answered_as_others_are(
    app: FastAPI,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    member: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await make_runs(session, member)
    client.headers.update(await key_headers(session, member))
    usual = [await answer(client, query) for query in QUERIES]
    remember(app)
    await client.get(LIST)
    came: list[Actor | None] = []
    known = quick.remembered_actor

    def noted(request: Request) -> Actor | None:
        came.append(known(request))
        return came[-1]

    monkeypatch.setattr(quick, "remembered_actor", noted)
    for _ in range(2):
        assert [await answer(client, query) for query in QUERIES] == usual
    assert None not in came
    assert len(came) == 2 * len(QUERIES)


async def test_remembered_keys_are_held_to_their_scopes_and_limits(
    app: FastAPI,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    member: User,
    settings: Settings,
) -> None:
    client.headers.update(await key_headers(session, member, [Permission.AGENTS_READ]))
    remember(app)
    assert [(await client.get(LIST)).status_code for _ in range(2)] == [403, 403]
    client.headers.update(await key_headers(session, member))
    await client.get(LIST)
    limited = settings.model_copy(update={"rate_limit_read_per_minute": 2})
    app.state.rate_limits = RateLimits(limited)
    assert [(await client.get(LIST)).status_code for _ in range(3)] == [200, 200, 429]
