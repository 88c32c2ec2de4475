"""What is sent many times at once has one effect; of many changes of one version one is stored."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core.database import Database
from app.main import create_app
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user

AT_ONCE = 50
API = "/api/v1"


@pytest.fixture
async def client(own_database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key, of an app whose requests have connections of their own."""
    url = own_database.engine.url.render_as_string(hide_password=False)
    unlimited = {f"rate_limit_{kind}_per_minute": 10**6 for kind in ("read", "write", "report")}
    app = create_app(settings_for(url, **unlimited), own_database)
    async with own_database.unit_of_work() as session:
        headers = await key_headers(session, await make_user(session))
    async with client_of(app, headers=headers) as client:
        yield client


async def rows(database: Database, table: str) -> int:
    async with database.engine.connect() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def body_for(client: httpx2.AsyncClient, resource: str) -> dict[str, Any]:
    if resource == "agents":
        return {"name": "bot", "model": "gpt-4o"}
    if resource == "tools":
        return {"name": "find"}
    agent = (await client.post(f"{API}/agents", json={"name": "runner", "model": "m"})).json()
    run = {"agent_id": agent["id"], "input": "Hello", "spans": [{"name": "chat", "kind": "llm"}]}
    return {"items": [run]} if resource.endswith("batch") else run


@pytest.mark.parametrize("resource", ["agents", "tools", "executions", "executions/batch"])
async def test_fifty_equal_posts_under_one_key_have_one_effect(
    client: httpx2.AsyncClient, own_database: Database, resource: str
) -> None:
    body, table = await body_for(client, resource), resource.partition("/")[0]
    creations = f"audit_events WHERE resource = '{table}' AND action LIKE 'create%'"
    before, events = await rows(own_database, table), await rows(own_database, creations)
    send = [
        client.post(f"{API}/{resource}", json=body, headers={"Idempotency-Key": "one"})
        for _ in range(AT_ONCE)
    ]
    answers = await asyncio.gather(*send)
    assert Counter(answer.is_success for answer in answers) == {True: AT_ONCE}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await rows(own_database, table) == before + 1
    assert await rows(own_database, creations) == events + 1


async def test_fifty_equal_reports_of_a_run_store_it_once(
    client: httpx2.AsyncClient, own_database: Database
) -> None:
    body = await body_for(client, "executions") | {"external_id": "run-1"}
    body |= {"started_at": "2026-11-01T10:00:00Z"}
    answers = await asyncio.gather(
        *(client.post(f"{API}/executions", json=body) for _ in range(AT_ONCE))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    for table in ("executions", "execution_bodies", "spans", "span_bodies"):
        assert await rows(own_database, table) == 1, table


@pytest.mark.parametrize("resource", ["agents", "tools", "executions"])
async def test_one_of_many_changes_of_a_version_is_stored(
    client: httpx2.AsyncClient, own_database: Database, resource: str
) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        agent = await make_agent(session, actor)
        row: Any = {
            "agents": agent,
            "tools": await make_tool(session, actor),
            "executions": await make_execution(session, actor, agent),
        }[resource]
        url, tag = f"{API}/{resource}/{row.id}", f'"{row.row_version}"'
    field = "error_type" if resource == "executions" else "description"
    answers = await asyncio.gather(
        *(client.patch(url, json={field: f"n{i}"}, headers={"If-Match": tag}) for i in range(20))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 19}
    stored = next(answer.json()[field] for answer in answers if answer.status_code == 200)
    assert (await client.get(url)).json()[field] == stored


async def test_password_changes_at_once_never_wait_for_each_others_connections(
    own_database: Database,
) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(url, database_pool_size=10, rate_limit_write_per_minute=10**6)
    app = create_app(settings, own_database)
    headers = []
    async with own_database.unit_of_work() as session:
        for _ in range(20):
            user = await make_user(session)
            pair = await RefreshTokenService(session, actor_for(user), settings).open(user, None)
            headers.append({"Authorization": f"Bearer {pair.access_token}"})
    wrong = {"current_password": "Wrong-Horse-1", "password": "New-Horse-1"}
    body = wrong | {"confirm_password": "New-Horse-1"}
    async with client_of(app) as client:
        path = f"{API}/auth/password/change"
        answers = await asyncio.gather(
            *(client.post(path, json=body, headers=own) for own in headers)
        )
    refusals = {answer.json()["error"]["message"] for answer in answers}
    assert refusals == {"The current password is not right."}
