"""Whatever order spans arrive in, however often and in whatever parts, the run is the same."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.models.spans import SpanStatus
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.wire import Origin, WireSpan
from tests.factories.clients import key_headers
from tests.otlp.requests import BEGIN_NS, SECOND, encoded, make_span
from tests.otlp.state import state_of

MODEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
OTHER = Origin({"service.name": "search", "service.version": "2"}, "tests", "1.0")


def usage(given: int, made: int) -> dict[str, Any]:
    return {"gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": made}


def said(text: str) -> dict[str, str]:
    return {
        "gen_ai.input.messages": f'[{{"role":"user","content":"{text}"}}]',
        "gen_ai.output.messages": f'[{{"role":"assistant","content":"{text}, yes"}}]',
    }


def agent(name: str) -> dict[str, str]:
    return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}


# An agent that calls another, whose spans repeat what their model calls used; the root ends before
# its last child and begins in the month before the others.
TRACE: list[WireSpan] = [
    make_span(1, attributes=agent("planner") | usage(30, 12), status=SpanStatus.OK),
    make_span(2, parent=1, attributes=MODEL | usage(10, 5) | said("first")),
    make_span(3, parent=1, attributes=agent("searcher") | usage(20, 7), origin=OTHER),
    make_span(4, parent=3, attributes=MODEL | usage(20, 7) | said("second"), origin=OTHER),
    make_span(5, parent=3, status=SpanStatus.ERROR, status_message="timed out", origin=OTHER),
    make_span(6, parent=1, attributes={"gen_ai.conversation.id": "c-1"}),
    make_span(7, parent=99, attributes=MODEL | usage(1, 1) | said("lost")),
]
OPEN = [replace(span, end_ns=None, attributes={}) for span in TRACE]


async def send(client: httpx2.AsyncClient, spans: Sequence[WireSpan], media_type: str) -> None:
    answer = await client.post("/v1/traces", **encoded(spans, media_type))
    assert answer.status_code == 200, answer.text


def ways(seed: int) -> list[list[WireSpan]]:
    """Requests that hold every span at least once."""
    chance = random.Random(seed)  # noqa: S311  (no secrets are made)
    spans = [*TRACE, *chance.choices(TRACE, k=3), *chance.choices(OPEN, k=3)]
    chance.shuffle(spans)
    requests = []
    while spans:
        size = chance.randint(1, 4)
        requests.append(spans[:size])
        spans = spans[size:]
    return requests


@pytest.mark.parametrize("seed", range(6))
async def test_spans_in_any_order_make_the_same_run(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, seed: int
) -> None:
    client.headers.update(await key_headers(session, staff))
    await send(client, TRACE, PROTOBUF)
    wanted = await state_of(session, [TRACE[0].trace_id])
    assert wanted[0][0]["agent"] == "planner"
    assert wanted[0][0]["input_tokens"] == 31
    assert wanted[0][0]["status"] == "succeeded"
    await session.execute(text("DELETE FROM executions"))
    for place, request in enumerate(ways(seed)):
        await send(client, request, (PROTOBUF, JSON)[(seed + place) % 2])
    assert await state_of(session, [TRACE[0].trace_id]) == wanted


async def test_whole_and_span_by_span_make_the_same_totals_however_odd_the_tree(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    spans = [
        make_span(1),
        make_span(2, parent=1, attributes=MODEL | usage(50, 5)),  # repeats what is below it
        make_span(3, parent=2),
        make_span(4, parent=3, attributes=MODEL | usage(40, 4), status=SpanStatus.ERROR),
        make_span(5, parent=6, attributes=MODEL | usage(3, 2)),  # two in a circle
        make_span(6, parent=5),
        make_span(7, parent=1, attributes=MODEL | usage(2, 1)),
        make_span(7, parent=2, start_ns=BEGIN_NS + 7, attributes=MODEL | usage(2, 1)),
    ]
    client.headers.update(await key_headers(session, staff))
    await send(client, spans, PROTOBUF)
    whole = await state_of(session, [spans[0].trace_id])
    assert (whole[0][0]["input_tokens"], whole[0][0]["error_count"]) == (44, 1)
    assert (whole[0][0]["span_count"], whole[0][0]["cost_source"]) == (8, "computed")
    await session.execute(text("DELETE FROM executions"))
    for span in spans:
        await send(client, [span], PROTOBUF)
    assert await state_of(session, [spans[0].trace_id]) == whole


async def test_a_run_is_open_until_its_root_has_ended(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    statuses = []
    for spans in ([TRACE[1]], [OPEN[0]], [TRACE[0]], [OPEN[0]]):
        await send(client, spans, JSON)
        run = (await state_of(session, [TRACE[0].trace_id]))[0][0]
        statuses.append((run["status"], run["ended_at"] is None))
    ended = ("succeeded", False)
    assert statuses == [("running", True), ("running", True), ended, ended]


async def test_a_run_that_began_in_another_month_takes_its_body_along(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    early = BEGIN_NS - 40 * 24 * 3600 * SECOND
    root = make_span(1, start_ns=early, end_ns=early + SECOND, attributes=said("hello"))
    await send(client, [TRACE[1]], JSON)
    await send(client, [root], JSON)
    run = (await state_of(session, [root.trace_id]))[0][0]
    assert run["body_at"] == run["started_at"]
    assert "hello" in str(run["input"])
    assert run["input_tokens"] == 10


async def test_a_step_that_says_in_its_own_words_that_it_failed_is_an_error(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    level = {"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "No."}
    await send(client, [make_span(1, attributes=level)], JSON)
    (run,), (step,) = await state_of(session, [TRACE[0].trace_id])
    assert (run["status"], run["error"], run["error_count"]) == ("failed", "No.", 1)
    assert step["span"]["status"] == "error"
