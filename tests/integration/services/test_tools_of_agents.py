"""Which tools agents can be given, by whom, and what a change of one costs."""

import asyncio

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.exceptions import AppError
from app.models import Agent, AgentRevision, Tool, User
from app.schemas.agents import AgentUpdate
from app.schemas.tools import ToolUpdate
from app.services.agents import AgentService
from app.services.tools import ToolService
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope

API = "/api/v1"


@pytest.fixture
async def anns(session: AsyncSession, member: User) -> Agent:
    """The agent of a member."""
    return await make_agent(session, actor_for(member))


@pytest.fixture
async def bobs(session: AsyncSession) -> Tool:
    """The tool of another member."""
    return await make_tool(session, actor_for(await make_user(session, Role.MEMBER)), name="bobs")


async def test_staff_cannot_give_an_agent_what_its_owner_does_not_see(
    api: httpx2.AsyncClient, web: httpx2.AsyncClient, anns: Agent, bobs: Tool
) -> None:
    for refused in (
        await api.put(f"{API}/agents/{anns.id}/tools/{bobs.id}"),
        await api.patch(f"{API}/agents/{anns.id}", json={"tool_ids": [bobs.id]}),
    ):
        assert_envelope(refused, 422, "VALIDATION_ERROR")
        assert "bobs" in refused.json()["error"]["message"]
    form = {"name": anns.name, "model_name": "m", "max_tokens": "1000", "row_version": "1"}
    page = await web.post(f"/agents/{anns.id}/edit", data=form | {"tool_ids": [str(bobs.id)]})
    assert page.status_code == 422
    assert "has no such tools: bobs" in page.text
    [item] = (
        await api.patch(
            f"{API}/agents/batch",
            json={"items": [{"id": anns.id, "changes": {"tool_ids": [bobs.id]}}]},
        )
    ).json()["items"]
    assert item["status"] == 422


async def test_forms_offer_the_tools_of_the_agents_owner_only(
    web: httpx2.AsyncClient, session: AsyncSession, member: User, anns: Agent, bobs: Tool
) -> None:
    own = await make_tool(session, actor_for(member), name="anns-own")
    for path in (f"/agents/{anns.id}/edit", f"/admin/agents/edit/{anns.id}"):
        page = (await web.get(path)).text
        assert own.name in page, path
        assert bobs.name not in page, path


async def test_staff_give_their_own_agents_any_tool(
    session: AsyncSession, actor: Actor, bobs: Tool
) -> None:
    agent = await make_agent(session, actor, tool_ids=[bobs.id])
    assert [tool.id for tool in agent.tools] == [bobs.id]


async def test_owner_keeps_a_tool_that_they_no_longer_see(
    member_api: httpx2.AsyncClient, session: AsyncSession, member: User, bobs: Tool
) -> None:
    member.role = Role.STAFF
    agent = await make_agent(session, actor_for(member), tool_ids=[bobs.id])
    member.role = Role.MEMBER
    await session.flush()
    url = f"{API}/agents/{agent.id}"
    kept = await member_api.patch(url, json={"tool_ids": [bobs.id], "description": "Saved."})
    assert [tool["id"] for tool in kept.json()["tools"]] == [bobs.id]
    assert (await member_api.patch(url, json={"tool_ids": []})).json()["tools"] == []
    again = await member_api.patch(url, json={"tool_ids": [bobs.id]})
    assert_envelope(again, 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("first", ["give", "trash"])
async def test_tool_is_not_given_and_trashed_at_once(own_database: Database, first: str) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        agent, tool = await make_agent(session, actor), await make_tool(session, actor)

    async def act(kind: str, session: AsyncSession) -> None:
        if kind == "trash":
            await ToolService(session, actor).delete(tool.id)
        else:
            await AgentService(session, actor).update(agent.id, AgentUpdate(tool_ids=[tool.id]))

    async def later() -> str:
        try:
            async with own_database.unit_of_work() as session:
                await act("give" if first == "trash" else "trash", session)
        except AppError:
            return "refused"
        return "done"

    async with own_database.unit_of_work() as session:
        await act(first, session)
        waiting = asyncio.create_task(later())
        await asyncio.sleep(0.2)  # time to go wrong in, were nothing locked
        assert not waiting.done()
    assert await waiting == "refused"


async def test_changed_tool_revises_all_its_agents_in_as_many_statements_as_two(
    session: AsyncSession, actor: Actor, counted: QueryCounter
) -> None:
    costs = []
    for number in (2, 40):
        tool = await make_tool(session, actor)
        agents = [(await make_agent(session, actor, tool_ids=[tool.id])).id for _ in range(number)]
        counted.statements.clear()
        with counted:
            change = ToolUpdate(description="Other words.")
            await ToolService(session, actor).update(tool.id, change)
            await session.flush()
        costs.append(counted.count)
        live = await session.execute(
            select(AgentRevision.number, AgentRevision.note)
            .join(Agent, Agent.live_revision_id == AgentRevision.id)
            .where(Agent.id.in_(agents))
        )
        assert [tuple(row) for row in live] == [(2, f"Tool {tool.name} changed")] * number
    assert costs[0] == costs[1]


async def test_tool_and_agent_changed_at_once_make_one_revision_each(
    own_database: Database,
) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        tool = await make_tool(session, actor)
        agent = await make_agent(session, actor, tool_ids=[tool.id])

    async def change_tool() -> None:
        async with own_database.unit_of_work() as session:
            await ToolService(session, actor).update(tool.id, ToolUpdate(description="Other."))

    async with own_database.unit_of_work() as session:
        await AgentService(session, actor).update(agent.id, AgentUpdate(system_prompt="Other."))
        waiting = asyncio.create_task(change_tool())
        await asyncio.sleep(0.2)  # it waits for the agent
    await waiting
    async with own_database.unit_of_work() as session:
        live = await session.scalar(select(AgentRevision).order_by(AgentRevision.number.desc()))
        assert live is not None
        assert live.snapshot["system_prompt"] == "Other."
        assert live.snapshot["tools"][0]["description"] == "Other."
        assert await session.scalar(select(func.count()).select_from(AgentRevision)) == 3
