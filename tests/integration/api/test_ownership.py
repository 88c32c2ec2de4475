"""Members see their own; what is someone else's looks exactly like what does not exist."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import execution_data, make_execution
from tests.factories.tools import make_tool
from tests.integration.envelope import assert_envelope

MISSING = 987_654_321
ROUTES = [
    ("GET", "agents/{}", None),
    ("GET", "agents/{}/summary", None),
    ("GET", "agents/{}/revisions", None),
    ("GET", "agents/{}/revisions/1", None),
    ("PATCH", "agents/{}", {"description": "x"}),
    ("DELETE", "agents/{}", None),
    ("POST", "agents/{}/restore", None),
    ("POST", "agents/{}/revisions/1/restore", None),
    ("PUT", "agents/{}/tools/1", None),
    ("DELETE", "agents/{}/tools/1", None),
    ("GET", "tools/{}", None),
    ("PATCH", "tools/{}", {"description": "x"}),
    ("DELETE", "tools/{}", None),
    ("POST", "tools/{}/restore", None),
    ("GET", "executions/{}", None),
    ("GET", "executions/{}/trace", None),
    ("PATCH", "executions/{}", {"status": "failed"}),
    ("DELETE", "executions/{}", None),
    ("POST", "executions/{}/restore", None),
]


async def foreign_ids(session: AsyncSession, actor: Actor) -> dict[str, int]:
    agent = await make_agent(session, actor)
    tool = await make_tool(session, actor)
    run = await make_execution(session, actor, agent)
    return {"agents": agent.id, "tools": tool.id, "executions": run.id}


def without_moment(response: httpx2.Response, row_id: int) -> Any:
    body = response.json()
    for name in ("timestamp", "request_id"):
        body.pop(name)
    body["path"] = body["path"].replace(f"s/{row_id}", "s/ID", 1)
    return response.status_code, body, sorted(response.headers)


async def test_foreign_looks_exactly_like_missing(
    member_api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = await foreign_ids(session, actor)
    for method, path, body in ROUTES:
        row_id = ids[path.split("/", maxsplit=1)[0]]
        foreign = await member_api.request(method, f"/api/v1/{path.format(row_id)}", json=body)
        missing = await member_api.request(method, f"/api/v1/{path.format(MISSING)}", json=body)
        assert_envelope(foreign, 404, "RESOURCE_NOT_FOUND")
        assert without_moment(foreign, row_id) == without_moment(missing, MISSING)


async def test_member_lists_only_own(
    member_api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, member: User
) -> None:
    await foreign_ids(session, actor)
    own = await foreign_ids(session, actor_for(member))
    for resource, row_id in own.items():
        listed = (await member_api.get(f"/api/v1/{resource}")).json()["items"]
        assert [row["id"] for row in listed] == [row_id]


async def test_staff_see_everyones(
    api: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    ids = await foreign_ids(session, actor_for(member))
    for resource, row_id in ids.items():
        assert (await api.get(f"/api/v1/{resource}/{row_id}")).status_code == 200


async def test_foreign_agent_cannot_be_reported_for(
    member_api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    by_name = execution_data(agent) | {"agent": agent.name}
    del by_name["agent_id"]
    for data in (execution_data(agent), by_name):
        response = await member_api.post("/api/v1/executions", json=data)
        assert_envelope(response, 422, "VALIDATION_ERROR")


async def test_foreign_tool_cannot_be_given(
    member_api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, member: User
) -> None:
    tool, agent = await make_tool(session, actor), await make_agent(session, actor_for(member))
    for response in (
        await member_api.put(f"/api/v1/agents/{agent.id}/tools/{tool.id}"),
        await member_api.patch(f"/api/v1/agents/{agent.id}", json={"tool_ids": [tool.id]}),
    ):
        assert_envelope(response, 422, "VALIDATION_ERROR")


async def test_two_owners_may_use_the_same_name(
    api: httpx2.AsyncClient, member_api: httpx2.AsyncClient
) -> None:
    data = {"name": "support-bot", "model": "gpt-4o"}
    assert (await api.post("/api/v1/agents", json=data)).status_code == 201
    assert (await member_api.post("/api/v1/agents", json=data)).status_code == 201


@pytest.mark.parametrize("others", [1, 4])
async def test_own_agent_comes_first_by_name(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, others: int
) -> None:
    from tests.factories.users import make_user

    for _ in range(others):
        await make_agent(session, actor_for(await make_user(session)), name="bot")
    ambiguous = await api.get("/api/v1/agents/by-name/bot/config")
    assert ambiguous.status_code == (200 if others == 1 else 409)
    own = await make_agent(session, actor, name="bot")
    config = await api.get("/api/v1/agents/by-name/bot/config")
    assert config.json()["agent_id"] == own.id
    data = execution_data(own) | {"agent": "bot"}
    del data["agent_id"]
    run = await api.post("/api/v1/executions", json=data)
    assert run.json()["agent_id"] == own.id
