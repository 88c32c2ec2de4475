"""What is told of a tool and of an agent, to whom."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.process_pool import ProcessPool
from app.models import Agent, Tool
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.tool_calls import call, calling, count_now
from tests.factories.tools import PARAMETERS, make_tool

Seen = tuple[Agent, Tool, int]
TWO = PARAMETERS | {"properties": {"city": {"type": "string"}, "country": {}}}


@pytest.fixture
async def seen(database: Database, pool: ProcessPool, actor: Actor) -> Seen:
    """An agent with two tools that called one, one of its owner's, and one nobody knows."""
    async with database.unit_of_work() as session:
        weather = await make_tool(session, actor, name="Weather", parameters=TWO)
        spare = await make_tool(session, actor, name="spare")
        await make_tool(session, actor, name="mine")
        agent = await make_agent(session, actor, tool_ids=[weather.id, spare.id])
        steps = [call(1, {"city": 5}), call(2, {"city": "Oslo", "days": 3}), call(3, {"city": "A"})]
        others = [call(4, {}, name="mine"), call(5, {}, name="fly", status="error")]
        run = await make_execution(session, actor, agent, **calling(*steps, *others))
    await count_now(database, pool)
    return agent, weather, run.id


async def test_tool_tells_how_its_calls_fit_its_schema(
    api: httpx2.AsyncClient, seen: Seen, counted: QueryCounter
) -> None:
    agent, tool, run_id = seen
    with counted:
        answer = await api.get(f"/api/v1/tools/{tool.id}/contract")
    told = answer.json()
    assert told["total"] == {"calls": 3, "errors": 0, "unoffered": 0, "checked": 3, "broken": 1}
    assert [(p["kind"], p["what"], p["calls"]) for p in told["problems"]] == [
        ("broken", "city is not of the type string", 1),
        ("unknown_property", "days", 1),
    ]
    [example] = told["problems"][0]["examples"]
    assert (example["execution_id"], example["span_id"]) == (run_id, f"{1:016x}")
    assert told["never_sent"] == ["country"]
    assert [(a["agent_id"], a["calls"]) for a in told["agents"]] == [(agent.id, 3)]
    assert told["counted_at"] is not None
    assert told["is_pending"] is False
    assert counted.count <= 8


async def test_agent_tells_unknown_tools_and_those_never_called(
    api: httpx2.AsyncClient, seen: Seen, counted: QueryCounter
) -> None:
    agent, tool, _ = seen
    with counted:
        told = (await api.get(f"/api/v1/agents/{agent.id}/tool-use?days=30")).json()
    assert [(t["name"], t["standing"], t["calls"], t["errors"]) for t in told["tools"]] == [
        ("weather", "given", 3, 0),
        ("fly", "unknown", 1, 1),
        ("mine", "not_given", 1, 0),
    ]
    assert (told["tools"][0]["tool_id"], told["tools"][0]["unknown_properties"]) == (tool.id, 1)
    assert [t["name"] for t in told["never_called"]] == ["spare"]
    assert counted.count <= 8


async def test_calls_not_yet_counted_are_said_to_come(
    api: httpx2.AsyncClient, database: Database, actor: Actor, seen: Seen
) -> None:
    agent, tool, _ = seen
    async with database.unit_of_work() as session:
        await make_execution(session, actor, agent, **calling(call(1, {})))
    for path in (f"tools/{tool.id}/contract", f"agents/{agent.id}/tool-use"):
        assert (await api.get(f"/api/v1/{path}")).json()["is_pending"] is True


async def test_member_sees_no_calls_of_others(member_api: httpx2.AsyncClient, seen: Seen) -> None:
    agent, tool, _ = seen
    for path in (f"tools/{tool.id}/contract", f"agents/{agent.id}/tool-use"):
        assert (await member_api.get(f"/api/v1/{path}")).status_code == 404


@pytest.mark.parametrize("days", [0, 31, "x"])
async def test_days_are_one_to_thirty(api: httpx2.AsyncClient, seen: Seen, days: object) -> None:
    _, tool, _ = seen
    answer = await api.get(f"/api/v1/tools/{tool.id}/contract?days={days}")
    assert answer.status_code == 422


async def test_tool_that_was_never_called_says_so(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    told = (await api.get(f"/api/v1/tools/{tool.id}/contract")).json()
    assert (told["total"]["calls"], told["counted_at"], told["never_sent"]) == (0, None, [])


async def test_pages_show_what_does_not_fit_with_the_step_to_look_at(
    web: httpx2.AsyncClient, seen: Seen
) -> None:
    agent, tool, run_id = seen
    page = (await web.get(f"/tools/{tool.id}?days=30")).text
    assert "city is not of the type string" in page
    assert f"/executions/{run_id}?span={1:016x}#span" in page
    page = (await web.get(f"/agents/{agent.id}")).text
    assert "unknown tool" in page
    assert "not given to it" in page
    assert "Given but never called" in page
