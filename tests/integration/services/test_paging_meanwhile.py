"""Walking a list while others add to it, change it and take from it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from app.core.actor import Actor, Via
from app.core.database import Database
from app.models import Agent, AuditEvent, Execution
from app.schemas.audit_events import AuditQuery
from app.schemas.executions import ExecutionQuery
from app.services.audit_events import AuditEventService
from app.services.execution_reads import ExecutionReader
from app.services.executions import ExecutionService
from app.services.paging import Slice
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.users import make_user

START = datetime(2026, 11, 1, tzinfo=UTC)
# Few moments, so that many runs begin at the same one and the id must decide.
seconds = st.integers(0, 4)
changes = st.one_of(
    st.tuples(st.just("add"), seconds),
    st.tuples(st.just("trash"), st.integers(0, 30)),
    st.tuples(st.just("touch"), st.integers(0, 30)),
    st.tuples(st.just("remove"), st.integers(0, 30)),
)
walks = st.tuples(
    st.lists(seconds, max_size=12),
    st.integers(1, 5),
    st.lists(st.lists(changes, max_size=3), max_size=14),
)


@dataclass(slots=True)
class Rows:
    """The runs of one agent, and those that were there from the first page to the last."""

    database: Database
    agent: Agent
    ids: list[int] = field(default_factory=list)
    untouched: set[int] = field(default_factory=set)

    async def add(self, second: int) -> int:
        values = {
            "agent_id": self.agent.id,
            "stored_trace_id": len(self.ids).to_bytes(8) + self.agent.id.to_bytes(8),
            "status": "succeeded",
            "source": "api",
            "cost_source": "unpriced",
            "started_at": START + timedelta(seconds=second),
        }
        async with self.database.unit_of_work() as session:
            row_id: int | None = await session.scalar(
                insert(Execution).values(values).returning(Execution.id)
            )
        assert row_id is not None
        self.ids.append(row_id)
        return row_id

    async def change(self, kind: str, number: int) -> None:
        if kind == "add":
            await self.add(number)
        elif self.ids:
            await self._change_one(kind, self.ids[number % len(self.ids)])

    async def _change_one(self, kind: str, row_id: int) -> None:
        own = Execution.id == row_id
        statement: Any = {
            "trash": update(Execution).where(own).values(deleted_at=START),
            "touch": update(Execution).where(own).values(preview="changed"),
            "remove": delete(Execution).where(own),
        }[kind]
        async with self.database.unit_of_work() as session:
            await session.execute(statement)
        if kind != "touch":
            self.untouched.discard(row_id)


async def page(rows: Rows, limit: int, cursor: str | None) -> Slice[Any]:
    query = ExecutionQuery(agent_id=[rows.agent.id], limit=limit, cursor=cursor)
    async with rows.database.looking() as session:
        reader: ExecutionReader = ExecutionService(session, actor_for(rows.agent.user))
        return await reader.list_json(query)


@pytest.fixture
async def agent(own_database: Database) -> Agent:
    async with own_database.unit_of_work() as session:
        user = await make_user(session)
        agent = await make_agent(session, actor_for(user))
        agent.user = user
        return agent


async def walk(rows: Rows, limit: int, meanwhile: list[list[tuple[str, int]]]) -> list[Any]:
    """All rows from the first page to the last, with changes between the pages."""
    seen: list[Any] = []
    cursor: str | None = None
    for _ in range(200):
        found = await page(rows, limit, cursor)
        assert len(found.items) <= limit
        seen += found.items
        cursor = found.next_cursor
        if cursor is None:
            return seen
        for kind, number in meanwhile.pop(0) if meanwhile else []:
            await rows.change(kind, number)
    raise AssertionError("the list does not end")


@given(walks)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_what_was_there_throughout_is_seen_exactly_once_and_in_order(
    own_database: Database,
    agent: Agent,
    plan: tuple[list[int], int, list[list[tuple[str, int]]]],
) -> None:
    begin, limit, meanwhile = plan
    async with own_database.unit_of_work() as session:
        await session.execute(delete(Execution))
    rows = Rows(own_database, agent)
    for second in begin:
        rows.untouched.add(await rows.add(second))
    seen = await walk(rows, limit, [list(step) for step in meanwhile])
    ids = [row.id for row in seen]
    assert len(ids) == len(set(ids)), "nothing twice"
    assert rows.untouched <= set(ids), "nothing left out"
    keys = [(row.started_at, row.id) for row in seen]
    assert all(before > after for before, after in pairwise(keys)), "newest first"


async def test_walking_back_shows_the_same_pages(own_database: Database, agent: Agent) -> None:
    rows = Rows(own_database, agent)
    for second in (0, 0, 1, 1, 1, 2, 3, 3):
        await rows.add(second)
    first = await page(rows, 3, None)
    second_page = await page(rows, 3, first.next_cursor)
    back = await page(rows, 3, second_page.previous_cursor)
    assert [row.id for row in back.items] == [row.id for row in first.items]


async def test_audit_log_is_walked_while_it_grows(own_database: Database, agent: Agent) -> None:
    boss = Actor.system(Via.CLI)
    async with own_database.unit_of_work() as session:
        log = AuditEventService(session, boss)
        for _ in range(10):
            log.record("probe", "agents", agent, {})
    seen: list[int] = []
    cursor: str | None = None
    while True:
        async with own_database.unit_of_work() as session:
            log = AuditEventService(session, boss)
            found: Slice[AuditEvent] = await log.list_slice(AuditQuery(limit=3, cursor=cursor))
            log.record("probe", "agents", agent, {})
        seen += [event.id for event in found.items]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) >= 10
    assert seen == sorted(seen, reverse=True)
