"""A run of thousands of steps: its page stays light, and leads to all of them."""

import re
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.schemas.executions import MAX_SPANS
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution

LIGHT_BYTES = 200_000
START_NS = 1_790_000_000_000_000_000
# The step that is there, again and again, each a moment later.
MANY_STEPS = text("""
INSERT INTO spans (trace_id, span_id, started_at, execution_id, kind, name, status, start_ns,
                   end_ns, cost_source)
SELECT trace_id, decode(lpad(to_hex(n), 16, '0'), 'hex'), started_at, execution_id, kind, name,
       status, start_ns + n, end_ns, cost_source
FROM spans, generate_series(2, :steps) AS n WHERE execution_id = :run
""")


def step(number: int, **values: Any) -> dict[str, Any]:
    """A call of a model that says something."""
    return {
        "span_id": f"{number:016x}",
        "kind": "llm",
        "name": f"step-{number}",
        "start_ns": START_NS + number * 1_000_000,
        "end_ns": START_NS + (number + 1) * 1_000_000,
        "input": [{"role": "user", "content": f"Question {number}?"}],
        "output": [{"role": "assistant", "content": f"Answer {number}."}],
    } | values


def link(page: str, part: str) -> str:
    found = re.search(rf'id="more-{part}" href="([^"]+)"', page)
    assert found, part
    return found[1].replace("&amp;", "&")


async def test_page_of_five_thousand_steps_is_light(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    run = await make_execution(session, actor, agent, spans=[step(1)])
    await session.execute(MANY_STEPS, {"run": run.id, "steps": MAX_SPANS})
    page = await web.get(f"/executions/{run.id}")
    assert "4,700 steps are not shown" in page.text
    assert page.text.count("data-span-row") == 300
    assert len(page.content) < LIGHT_BYTES


async def test_page_of_a_long_run_leads_to_the_rest(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    spans = [step(number) for number in range(1, 8)] + [step(8, status="error")]
    run = await make_execution(session, actor, agent, spans=spans)
    url = f"/executions/{run.id}"
    part = (await web.get(f"{url}?steps=3&turns=2")).text
    assert part.count("data-span-row") == 3
    assert "5 steps are not shown, 1 error among them" in part
    assert "Question 1?" in part
    assert "Question 2?" not in part
    more = (await web.get(link(part, "steps"))).text
    assert more.count("data-span-row") == 8
    assert "Question 2?" not in more
    assert "Question 8?" in (await web.get(link(more, "turns"))).text
    # A step that is linked to is among those that are drawn.
    later = (await web.get(f"{url}?steps=3&span={7:016x}")).text
    assert later.count("data-span-row") == 7
    assert "Answer 7." in later


async def test_conversation_that_is_read_in_part_says_so_and_goes_on_where_it_was_left(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    spans = [step(number) for number in range(1, 121)]
    run = await make_execution(session, actor, agent, output="All is told.", spans=spans)
    url = f"/executions/{run.id}"
    page = (await web.get(url)).text
    assert "more than 100 turns" in page
    assert ("Answer 50." in page, "Answer 51." in page) == (True, False)
    assert "All is told." in page
    whole = (await web.get(link(page, "turns"))).text
    assert [whole.count(f"Answer {n}.") for n in (1, 32, 33, 96, 97, 120)] == [1] * 6
    assert "240 turns" in whole
