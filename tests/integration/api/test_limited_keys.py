"""A key that belongs to one agent reaches that agent, and nothing that others share."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, Tool, User
from tests.conftest import client_of
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import execution_data
from tests.factories.tools import make_tool


@pytest.fixture
async def tool(session: AsyncSession, actor: Actor) -> Tool:
    return await make_tool(session, actor)


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor, tool: Tool) -> Agent:
    return await make_agent(session, actor, tool_ids=[tool.id])


@pytest.fixture
async def limited(
    app: FastAPI, session: AsyncSession, staff: User, agent: Agent
) -> AsyncIterator[httpx2.AsyncClient]:
    headers = await key_headers(session, staff, agent=agent)
    async with client_of(app, headers=headers) as client:
        yield client


async def test_limited_key_sees_its_agent_and_its_tools_only(
    limited: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent, tool: Tool
) -> None:
    other = await make_agent(session, actor)
    await make_tool(session, actor)
    agents = (await limited.get("/api/v1/agents")).json()["items"]
    tools = (await limited.get("/api/v1/tools")).json()["items"]
    assert [item["id"] for item in agents] == [agent.id]
    assert [item["id"] for item in tools] == [tool.id]
    assert (await limited.get(f"/api/v1/agents/{other.id}")).status_code == 404


async def test_limited_key_makes_no_agents_or_tools_and_changes_no_tool(
    limited: httpx2.AsyncClient, tool: Tool
) -> None:
    agent = {"name": "another", "model": "gpt-4o"}
    assert (await limited.post("/api/v1/agents", json=agent)).status_code == 403
    assert (await limited.post("/api/v1/tools", json={"name": "another"})).status_code == 403
    change = {"description": "Mine now."}
    assert (await limited.patch(f"/api/v1/tools/{tool.id}", json=change)).status_code == 403


async def test_limited_key_reports_runs_of_its_agent_only(
    limited: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    other = await make_agent(session, actor)
    own = await limited.post("/api/v1/executions", json=execution_data(agent))
    foreign = await limited.post("/api/v1/executions", json=execution_data(other))
    assert (own.status_code, foreign.status_code) == (201, 422)


async def test_key_on_a_page_does_not_excuse_a_cross_site_cookie(
    client: httpx2.AsyncClient,
) -> None:
    headers = {"X-API-Key": "gr_x", "Sec-Fetch-Site": "cross-site"}
    answer = await client.post("/agents/new", headers=headers, data={"name": "x"})
    assert answer.status_code == 403


async def test_key_is_told_where_only_people_may(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    answer = await client.get("/api/v1/webhooks", headers=await key_headers(session, staff))
    assert answer.status_code == 403
    assert "log in as a person" in answer.json()["error"]["message"]
