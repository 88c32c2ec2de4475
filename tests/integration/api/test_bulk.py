"""Many changes in one request: each is answered on its own, and none is lost."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, AuditEvent, User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.integration.envelope import assert_envelope

API = "/api/v1"
AGENT = {"name": "bot", "model": "gpt-4o"}


async def bulk(
    api: httpx2.AsyncClient, method: str, path: str, *items: object
) -> list[dict[str, Any]]:
    """The answers to the items, checked to be in order and counted right."""
    response = await api.request(method, f"{API}/{path}", json={"items": items})
    assert response.status_code == 200, response.text
    answer = response.json()
    found: list[dict[str, Any]] = answer["items"]
    assert [item["index"] for item in found] == list(range(len(items)))
    assert answer["done"] == sum(item["status"] < 400 for item in found)
    assert answer["refused"] == sum(item["status"] >= 400 for item in found)
    return found


def statuses(items: list[dict[str, Any]]) -> list[int]:
    return [item["status"] for item in items]


async def events(session: AsyncSession, action: str) -> int:
    statement = select(func.count()).where(AuditEvent.action == action)
    return await session.scalar(statement) or 0


async def test_refused_items_leave_the_others_created(
    api: httpx2.AsyncClient, session: AsyncSession
) -> None:
    before = await events(session, "create")
    found = await bulk(
        api,
        "POST",
        "agents/batch",
        AGENT,
        AGENT,
        AGENT | {"name": "other", "max_tokens": 7},
        "text",
        AGENT | {"name": "small", "model": "gpt-3.5", "max_tokens": 5000},
        AGENT | {"name": "last"},
    )
    assert statuses(found) == [201, 409, 422, 422, 422, 201]
    assert found[1]["error"]["details"][0]["field"] == "name"
    assert found[2]["error"]["details"][0]["field"] == "max_tokens"
    assert found[4]["error"]["code"] == "VALIDATION_ERROR"
    assert "error" not in found[0]
    assert await events(session, "create") == before + 2
    for item in (found[0], found[-1]):
        agent = (await api.get(f"{API}/agents/{item['id']}")).json()
        assert agent["live_revision"]["number"] == 1
        assert agent["row_version"] == item["row_version"]


async def test_each_change_goes_by_its_own_version(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agents = [await make_agent(session, actor) for _ in range(3)]
    change = {"description": "changed"}
    found = await bulk(
        api,
        "PATCH",
        "agents/batch",
        {"id": agents[2].id, "row_version": agents[2].row_version, "changes": change},
        {"id": agents[1].id, "row_version": 99, "changes": change},
        {"id": agents[0].id, "changes": change},
        {"id": 987_654, "changes": change},
        {"id": agents[0].id, "changes": {"nope": 1}},
        {"id": 0, "changes": {}},
    )
    assert statuses(found) == [200, 412, 200, 404, 422, 422]
    assert [item.get("id") for item in found[:4]] == [*(a.id for a in agents[::-1]), 987_654]
    assert found[0]["row_version"] == 2
    assert found[4]["error"]["details"][0]["field"] == "changes.nope"
    descriptions = [(await api.get(f"{API}/agents/{a.id}")).json()["description"] for a in agents]
    assert descriptions == ["changed", agents[1].description, "changed"]


async def test_same_row_twice_is_changed_twice(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    first = {"id": agent.id, "row_version": 1, "changes": {"system_prompt": "One."}}
    second = {"id": agent.id, "row_version": 1, "changes": {"system_prompt": "Two."}}
    assert statuses(await bulk(api, "PATCH", "agents/batch", first, second)) == [200, 412]
    assert (await api.get(f"{API}/agents/{agent.id}")).json()["system_prompt"] == "One."


async def test_tool_in_use_stays_where_the_others_are_deleted(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    used, free = await make_tool(session, actor), await make_tool(session, actor)
    await make_agent(session, actor, tool_ids=[used.id])
    found = await bulk(
        api,
        "POST",
        "tools/batch/delete",
        {"id": used.id},
        {"id": free.id, "row_version": free.row_version},
        {"id": free.id},
    )
    assert statuses(found) == [409, 204, 404]
    assert (await api.get(f"{API}/tools/{used.id}")).status_code == 200
    assert (await api.get(f"{API}/tools/{free.id}")).status_code == 404


async def test_runs_are_completed_and_trashed_in_bulk(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    runs = [await make_execution(session, actor, agent) for _ in range(2)]
    changes = [{"id": run.id, "changes": {"status": "failed", "error": "x"}} for run in runs]
    assert statuses(await bulk(api, "PATCH", "executions/batch", *changes)) == [200, 200]
    assert (await api.get(f"{API}/executions/{runs[0].id}")).json()["status"] == "failed"
    ids = [{"id": run.id} for run in runs]
    assert statuses(await bulk(api, "POST", "executions/batch/delete", *ids)) == [204, 204]
    assert (await api.get(f"{API}/executions")).json()["items"] == []


async def test_rows_of_others_are_as_missing(
    member_api: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent = await make_agent(session, actor_for(staff))
    change = {"changes": {"description": "mine"}}
    found = await bulk(
        member_api, "PATCH", "agents/batch", {"id": agent.id, **change}, {"id": 987_654, **change}
    )
    assert statuses(found) == [404, 404]
    assert found[0]["error"] == found[1]["error"]
    gone = await bulk(member_api, "POST", "agents/batch/delete", {"id": agent.id})
    assert statuses(gone) == [404]


@pytest.mark.parametrize("resource", ["agents", "tools"])
async def test_bulk_create_sent_again_creates_nothing(
    api: httpx2.AsyncClient, session: AsyncSession, resource: str
) -> None:
    data = {"items": [AGENT if resource == "agents" else {"name": "find"}, {"name": 5}]}
    key = {"Idempotency-Key": "bulk-1"}
    first = await api.post(f"{API}/{resource}/batch", json=data, headers=key)
    before = await events(session, "create")
    again = await api.post(f"{API}/{resource}/batch", json=data, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await events(session, "create") == before


@pytest.mark.parametrize("items", [[], [AGENT] * 101, "text", None])
async def test_bulk_outside_the_bounds_is_refused_whole(
    api: httpx2.AsyncClient, session: AsyncSession, items: object
) -> None:
    response = await api.post(f"{API}/agents/batch", json={"items": items})
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert await session.scalar(select(func.count()).select_from(Agent)) == 0
