"""What is read for an analysis: in bounded pieces, and no more than is needed."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.exceptions import Forbidden
from app.schemas.analyses import AnalysisRequest
from app.services.analysis.reader import (
    CHUNK_BYTES,
    CHUNK_RUNS,
    CHUNK_STEPS,
    AnalysisReader,
    Asking,
    Place,
    grouped,
)
from app.services.analysis.runs import Chunk
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.executions import MODEL_STEP, ROOT, make_execution

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def places(*sizes: tuple[int, int]) -> list[Place]:
    return [Place(n, NOW, steps, stored) for n, (steps, stored) in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([(1, 10)] * (CHUNK_RUNS + 1), [CHUNK_RUNS, 1]),
        ([(CHUNK_STEPS, 10), (1, 10)], [1, 1]),
        ([(1, CHUNK_BYTES // 2)] * 3, [2, 1]),
        ([(1, 10), (1, 10**12), (1, 10)], [1, 1, 1]),
    ],
)
def test_runs_are_grouped_by_what_fits(sizes: list[tuple[int, int]], groups: list[int]) -> None:
    assert [len(group) for group in grouped(places(*sizes))] == groups


async def read_all(reader: AnalysisReader, agent_id: int) -> Chunk:
    asking = Asking(agent_id, AnalysisRequest(), None)
    return await reader.read(await reader.page(asking, None, 100))


async def test_pieces_need_the_same_queries_for_one_run_and_for_many(
    session: AsyncSession, actor: Actor, counted: QueryCounter
) -> None:
    agent = await make_agent(session, actor)
    reader = AnalysisReader(session, actor)
    for runs in (1, 9):
        for _ in range(runs):
            await make_execution(session, actor, agent)
        counted.statements.clear()
        with counted:
            chunk = await read_all(reader, agent.id)
        assert counted.count == 5
    assert len(chunk.runs) == 10


async def test_input_of_the_model_is_read_only_where_nothing_else_tells(
    session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    told = await make_execution(session, actor, agent)
    no_tools = await make_execution(session, actor, agent, spans=[ROOT, MODEL_STEP])
    unknown = {k: v for k, v in MODEL_STEP.items() if k != "input_tokens"}
    tool = {"name": "find", "kind": "tool", "started_at": "2026-11-01T10:00:03Z"}
    no_tokens = await make_execution(session, actor, agent, spans=[unknown, tool])
    chunk = await read_all(AnalysisReader(session, actor), agent.id)
    given = {s.execution_id: s.input for s in chunk.steps if s.kind == "llm"}
    assert given[told.id] is None
    assert "Where is my bag?" in str(given[no_tools.id])
    assert "Where is my bag?" in str(given[no_tokens.id])


async def test_steps_come_with_the_attributes_that_are_looked_at(
    session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    attributes = {"gen_ai.response.finish_reasons": ["length"], "secret": "x" * 1_000}
    await make_execution(session, actor, agent, spans=[MODEL_STEP | {"attributes": attributes}])
    [step] = (await read_all(AnalysisReader(session, actor), agent.id)).steps
    assert step.attributes == '{"gen_ai.response.finish_reasons": ["length"]}'


async def test_error_without_a_type_is_told_by_its_first_line(
    session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    await make_execution(session, actor, agent, status="failed", error="No route\nat line 3")
    await make_execution(session, actor, agent, status="failed", error="x", error_type="Timeout")
    chunk = await read_all(AnalysisReader(session, actor), agent.id)
    assert [run.error for run in chunk.runs] == ["No route", "Timeout"]


async def test_who_may_not_read_runs_reads_none(session: AsyncSession, actor: Actor) -> None:
    agent = await make_agent(session, actor)
    nobody = Actor(actor.user_id, actor.role, frozenset(), actor.via)
    with pytest.raises(Forbidden):
        await read_all(AnalysisReader(session, nobody), agent.id)
