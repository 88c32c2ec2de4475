"""Calls are counted once however their steps come: late, again, changed, or in the trash."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.process_pool import ProcessPool
from app.jobs.tool_calls import count_hour
from app.models import Agent, HourlyFigures, StaleHour, Tool, ToolCallHour, ToolCallProblem
from app.schemas.executions import ExecutionUpdate
from app.services.executions import ExecutionService
from app.services.tool_call_counts import ToolCallCountService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.tool_calls import CALLED_AT, call, calling, count_now, resources_for
from tests.factories.tools import make_tool
from tests.factories.users import make_user

SYSTEM = Actor.system(Via.JOB)
HOSTILE = {"type": "object", "properties": {"city": {"type": "string", "pattern": "^(a+)+$"}}}


async def world(
    database: Database, *runs: dict[str, Any], **tool: Any
) -> tuple[Agent, Tool, list[int]]:
    """An agent with a tool called weather, and runs of it: their ids."""
    async with database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        made = await make_tool(session, actor, **({"name": "weather"} | tool))
        agent = await make_agent(session, actor, tool_ids=[made.id])
        ids = [(await make_execution(session, actor, agent, **run)).id for run in runs]
    return agent, made, ids


async def hours(database: Database) -> list[ToolCallHour]:
    async with database.looking() as session:
        ordered = select(ToolCallHour).order_by(ToolCallHour.hour, ToolCallHour.tool_name)
        return list(await session.scalars(ordered))


async def marks(database: Database) -> int:
    async with database.looking() as session:
        of_calls = StaleHour.figures == HourlyFigures.TOOL_CALLS
        return await session.scalar(select(func.count()).where(of_calls)) or 0


async def rest(database: Database) -> None:
    """As if the hours had been counted long ago: counting goes on at once."""
    async with database.unit_of_work() as session:
        await session.execute(text("UPDATE tool_call_hours SET counted_at = now() - interval '1h'"))


async def update(database: Database, run_id: int, **values: Any) -> None:
    async with database.unit_of_work() as session:
        data = ExecutionUpdate.model_validate(values)
        await ExecutionService(session, SYSTEM).update(run_id, data)


async def test_calls_are_held_against_the_schema_of_the_revision_that_ran(
    database: Database, pool: ProcessPool
) -> None:
    run = calling(
        call(1, {"city": "Rome"}),
        call(2, {"city": 5}, status="error"),
        call(3, '{"city": "Oslo", "days": 3}', output={"error": "down"}),
        call(4, {"from": "here"}, name="fly"),
    )
    agent, tool, [run_id] = await world(database, run)
    await count_now(database, pool)
    fly, weather = await hours(database)
    assert (weather.agent_id, weather.tool_id) == (agent.id, tool.id)
    assert weather.hour == CALLED_AT.replace(minute=0)
    assert (weather.calls, weather.errors, weather.checked, weather.broken) == (3, 2, 3, 1)
    assert sorted(weather.sent) == ["city", "days"]
    assert (fly.calls, fly.unoffered, fly.tool_id, fly.checked) == (1, 1, None, 0)
    async with database.looking() as session:
        found = await session.scalars(select(ToolCallProblem).order_by(ToolCallProblem.kind))
        told = [(row.what, row.calls, row.note, row.execution_id, row.span_id) for row in found]
    assert told == [
        ("city is not of the type string", 1, "city: 5 is not of type 'string'", run_id, span(2)),
        ("days", 1, "days: 3", run_id, span(3)),
    ]
    assert await marks(database) == 0


def span(number: int) -> bytes:
    return number.to_bytes(8, "big")


async def test_steps_sent_again_late_or_changed_count_once(
    database: Database, pool: ProcessPool
) -> None:
    _, _, [run_id] = await world(database, calling(call(1, {"city": 5}), call(2, {"city": "Rome"})))
    await count_now(database, pool)
    again = [call(1, {"city": "Rome"}), call(2, {"city": "Rome"}), call(3, {})]
    await update(database, run_id, spans=again)
    await rest(database)
    await count_now(database, pool)
    [row] = await hours(database)
    assert (row.calls, row.broken) == (3, 1)


async def test_run_in_the_trash_is_not_counted_until_it_is_restored(
    database: Database, pool: ProcessPool
) -> None:
    _, _, [run_id, _] = await world(database, calling(call(1, {})), calling(call(1, {})))
    for action, calls in ((None, 2), ("delete", 1), ("restore", 2)):
        if action is not None:
            await rest(database)
            async with database.unit_of_work() as session:
                await getattr(ExecutionService(session, SYSTEM), action)(run_id)
        await count_now(database, pool)
        assert [row.calls for row in await hours(database)] == [calls]


async def test_hours_are_those_in_which_runs_began(database: Database, pool: ProcessPool) -> None:
    earlier = (CALLED_AT - timedelta(hours=1)).isoformat()
    later = (CALLED_AT + timedelta(hours=1)).isoformat()
    run = calling(call(1, {}), call(2, {}, started_at=later), started_at=earlier)
    await world(database, run)
    await count_now(database, pool)
    [row] = await hours(database)
    assert (row.hour, row.calls) == (CALLED_AT.replace(minute=0) - timedelta(hours=1), 2)


async def test_unchanged_hours_are_not_read_again(database: Database, pool: ProcessPool) -> None:
    _, _, [run_id] = await world(database, calling(call(1, {})))
    await count_now(database, pool)
    await update(database, run_id, status="succeeded")
    async with database.looking() as session:
        assert await ToolCallCountService(session, SYSTEM).due(10) == []


async def test_hour_with_many_calls_rests_before_it_is_counted_again(
    database: Database, pool: ProcessPool
) -> None:
    _, _, [run_id] = await world(database, calling(call(1, {})))
    await count_now(database, pool)
    await update(database, run_id, spans=[call(2, {})])
    async with database.unit_of_work() as session:
        counts = ToolCallCountService(session, SYSTEM)
        await session.execute(text("UPDATE tool_call_hours SET calls = 1000000"))
        assert await counts.due(10) == []
        await session.execute(
            text("UPDATE tool_call_hours SET counted_at = now() - interval '11 minutes'")
        )
        assert len(await counts.due(10)) == 1


async def test_pattern_that_never_ends_is_given_up(database: Database, pool: ProcessPool) -> None:
    slow = [call(n, {"city": "a" * 40 + "!"}) for n in range(1, 4)]
    await world(database, calling(*slow, call(9, {"to": 1}, name="fly")), parameters=HOSTILE)
    await count_now(database, pool)
    fly, weather = await hours(database)
    assert (weather.calls, weather.checked, weather.broken) == (3, 0, 0)
    assert fly.calls == 1


async def test_what_comes_while_an_hour_is_counted_is_counted_next(
    own_database: Database, pool: ProcessPool
) -> None:
    _, _, [run_id] = await world(own_database, calling(call(1, {})))
    async with own_database.looking() as session:
        [before] = await ToolCallCountService(session, SYSTEM).due(10)
    await update(own_database, run_id, spans=[call(2, {})])
    resources = resources_for(own_database, pool)
    assert await count_hour(resources, before)
    assert await marks(own_database) == 1
    assert not await count_hour(resources, before), "counted twice from one mark"
    async with own_database.looking() as session:
        assert [row.calls for row in await hours(own_database)] == [2]
    await rest(own_database)
    await count_now(own_database, pool)
    assert await marks(own_database) == 0


async def test_writers_of_one_hour_do_not_wait_for_each_other(own_database: Database) -> None:
    agent, _, _ = await world(own_database)
    async with asyncio.timeout(5), own_database.unit_of_work() as first:
        await make_execution(first, SYSTEM, agent, **calling(call(1, {})))
        async with own_database.unit_of_work() as second:
            await make_execution(second, SYSTEM, agent, **calling(call(1, {})))
        assert await marks(own_database) == 1
    assert await marks(own_database) == 2


@pytest.mark.parametrize("days", [34, 36])
async def test_hours_of_long_ago_are_forgotten(
    database: Database, pool: ProcessPool, days: int
) -> None:
    await world(database, calling(call(1, {"city": "Rome"})))
    await count_now(database, pool)
    async with database.unit_of_work() as session:
        await session.execute(
            text("UPDATE tool_call_hours SET hour = hour - make_interval(days => :days)"),
            {"days": days},
        )
        await ToolCallCountService(session, SYSTEM).prune()
    assert len(await hours(database)) == (1 if days < 35 else 0)
