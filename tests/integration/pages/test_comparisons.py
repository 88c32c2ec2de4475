"""Two runs beside each other."""

import html

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, Execution
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.executions import FAILED_TOOL_STEP, MODEL_STEP, ROOT, make_execution

ANSWER = {"role": "assistant", "content": "Your bag is in Rome today."}
OTHER = {"role": "assistant", "content": "Your bag is in Oslo today."}
FIXED = FAILED_TOOL_STEP | {"status": "ok", "output": "Found."}
LATER = {"started_at": "2026-11-01T10:00:04Z", "ended_at": "2026-11-01T10:00:05Z"}
EXTRA = MODEL_STEP | LATER | {"span_id": "00000000000000d1", "name": "sum up"}


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor)


@pytest.fixture
async def before(session: AsyncSession, actor: Actor, agent: Agent) -> Execution:
    spans = [ROOT, MODEL_STEP | {"output": ANSWER}, FAILED_TOOL_STEP]
    values = {"status": "failed", "input_tokens": 100, "started_at": "2026-11-01T09:00:00Z"}
    return await make_execution(session, actor, agent, spans=spans, **values)


@pytest.fixture
async def after(session: AsyncSession, actor: Actor, agent: Agent) -> Execution:
    spans = [ROOT, MODEL_STEP | {"output": OTHER}, FIXED, EXTRA]
    return await make_execution(session, actor, agent, spans=spans, input_tokens=150)


async def compare(web: httpx2.AsyncClient, status: int = 200, **params: object) -> str:
    answer = await web.get("/executions/compare", params={k: str(v) for k, v in params.items()})
    assert answer.status_code == status
    return html.unescape(answer.text)


async def test_figures_and_steps_are_told_with_what_differs(
    web: httpx2.AsyncClient, before: Execution, after: Execution
) -> None:
    page = await compare(web, left=before.id, right=after.id)
    assert "+50 (+50%)" in page
    assert "2 changed, 1 added, 0 removed, 1 the same" in page
    assert 'title="output, no longer fails"' in page
    only = await compare(web, left=before.id, right=after.id, only="differences")
    assert only.count('class="step"') == 3
    assert "the same" in await compare(web, left=after.id, right=after.id, only="differences")


async def test_step_is_told_word_by_word(
    web: httpx2.AsyncClient, before: Execution, after: Execution
) -> None:
    page = await compare(web, left=before.id, right=after.id, step=1)
    assert "<del>Rome</del><ins>Oslo</ins>" in page
    added = await compare(web, left=before.id, right=after.id, step=3)
    assert "Not on the left" in added


async def test_conversations_stand_side_by_side(
    web: httpx2.AsyncClient, before: Execution, after: Execution
) -> None:
    page = await compare(web, left=before.id, right=after.id, view="conversation")
    assert page.count('class="turn-pair same"') >= 1
    assert "in <del>Rome</del> today" in page
    assert "in <ins>Oslo</ins> today" in page


async def test_other_run_is_named_by_a_word_an_id_a_trace_id_or_an_address(
    web: httpx2.AsyncClient, before: Execution, after: Execution
) -> None:
    told = f'href="/executions/{before.id}"'
    for said in ("previous", before.trace_hex, f"https://here/executions/{before.id}?span=1"):
        assert told in await compare(web, left=said, right=after.id)
    answer = await web.get(f"/executions/compare?ids={after.id}&ids={before.id}")
    assert f"left={after.id}&amp;right={before.id}" in answer.text, "the way to swap them"
    too_many = await web.get("/executions/compare?ids=1&ids=2&ids=3")
    assert too_many.status_code == 422
    assert "tick no more than two" in too_many.text, "rather than leaving one of them out"
    assert 'formaction="/executions/compare"' in (await web.get("/executions")).text
    wrong = await compare(web, 422, left="my last one", right=after.id)
    assert 'value="my last one"' in wrong
    assert "no such run" in await compare(web, 422, left="succeeded", right=after.id)
    assert "Compare two runs" in await compare(web)


async def test_more_steps_need_no_more_queries(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    agent: Agent,
    before: Execution,
    after: Execution,
    counted: QueryCounter,
) -> None:
    await compare(web, left=before.id, right=after.id)
    with counted:
        await compare(web, left=before.id, right=after.id)
    few = counted.count
    spans = [ROOT] + [MODEL_STEP | {"span_id": f"{n:016x}"} for n in range(1, 40)]
    long = await make_execution(session, actor, agent, spans=spans)
    counted.statements.clear()
    with counted:
        await compare(web, left=before.id, right=long.id)
    assert counted.count == few


async def test_run_that_is_not_there_is_asked_for_again(
    web: httpx2.AsyncClient, after: Execution
) -> None:
    assert "value=" in await compare(web, 422, left=999_999, right=after.id)
