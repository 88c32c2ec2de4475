"""Keyset pages: forward and back over a list that changes meanwhile."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent
from app.schemas.agents import AgentQuery
from app.services.agents import AgentService
from app.services.paging import Slice
from tests.factories.agents import make_agent

NAMES = [f"bot-{i}" for i in range(7)]


@pytest.fixture
async def agents(session: AsyncSession, actor: Actor) -> AgentService:
    for name in NAMES:
        await make_agent(session, actor, name=name)
    return AgentService(session, actor)


async def part(
    agents: AgentService, cursor: str | None, limit: int = 3, sort: str = "name"
) -> Slice[Agent]:
    return await agents.list_slice(AgentQuery(sort=sort), cursor, limit)


def names(rows: Slice[Agent]) -> list[str]:
    return [agent.name for agent in rows.items]


async def test_ends_have_no_cursors(agents: AgentService) -> None:
    first = await part(agents, None)
    assert first.previous_cursor is None
    last = await part(agents, (await part(agents, first.next_cursor)).next_cursor)
    assert names(last) == ["bot-6"]
    assert last.next_cursor is None
    everything = await part(agents, None, limit=7)
    assert (everything.previous_cursor, everything.next_cursor) == (None, None)


async def test_way_back_shows_the_same_rows(agents: AgentService) -> None:
    first = await part(agents, None)
    second = await part(agents, first.next_cursor)
    back = await part(agents, second.previous_cursor)
    assert names(back) == names(first)
    assert back.previous_cursor is None
    assert names(await part(agents, back.next_cursor)) == names(second)


async def test_row_inserted_before_is_seen_on_the_way_back(
    agents: AgentService, session: AsyncSession, actor: Actor
) -> None:
    second = await part(agents, (await part(agents, None)).next_cursor)
    await make_agent(session, actor, name="bot-2-and-a-half")
    back = await part(agents, second.previous_cursor)
    assert names(back) == ["bot-1", "bot-2", "bot-2-and-a-half"]


async def test_row_deleted_at_the_edge_loses_no_other(agents: AgentService) -> None:
    first = await part(agents, None)
    await agents.delete(first.items[-1].id)
    assert names(await part(agents, first.next_cursor)) == ["bot-3", "bot-4", "bot-5"]


async def test_cursor_of_a_name_used_for_a_time_is_refused(agents: AgentService) -> None:
    from app.exceptions import Invalid

    cursor = (await part(agents, None)).next_cursor
    with pytest.raises(Invalid):
        await part(agents, cursor, sort="-created_at")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    limit=st.integers(1, 8),
    sort=st.sampled_from(["name", "-name", "created_at", "-created_at", "updated_at"]),
)
async def test_walk_there_and_back_holds_each_row_once(
    agents: AgentService, limit: int, sort: str
) -> None:
    there: list[str] = []
    slices = [await part(agents, None, limit, sort)]
    while slices[-1].next_cursor:
        slices.append(await part(agents, slices[-1].next_cursor, limit, sort))
    for rows in slices:
        there += names(rows)
    assert sorted(there) == NAMES
    back = names(slices[-1])
    rows = slices[-1]
    while rows.previous_cursor:
        rows = await part(agents, rows.previous_cursor, limit, sort)
        back = names(rows) + back
    assert back == there
