"""A long run is not summed anew for each step that comes, and its totals are the same."""

import random
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.models.spans import SpanStatus
from app.services.ingestion import statements as sql
from app.services.ingestion.otlp import PROTOBUF
from app.services.ingestion.wire import WireSpan
from tests.factories.clients import key_headers
from tests.integration.otlp.test_convergence import MODEL, send, usage
from tests.otlp.requests import make_span
from tests.otlp.state import state_of

TOTALS = (*sql.TOTALS, "cost", "cost_source", "span_count", "error_count")
SEEDS = 12
UNPRICED = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "nobody-knows"}
SHOULD_GROW = sql.UPDATE_EXECUTIONS.replace(f">= {sql.LONG_RUN}", ">= 1")


def some_step(chance: random.Random, number: int, count: int) -> WireSpan:
    """Below any other, also one that comes later, itself, or never; calls of models repeat."""
    parent = chance.choice([None, 1, chance.randint(1, count), count + 99])
    used = usage(chance.randint(0, 9), chance.randint(0, 9))
    kinds: list[dict[str, Any]] = [{}, {}, MODEL, MODEL | used, MODEL | used, UNPRICED | used]
    reported = {"gen_ai.usage.cost": 0.5} if chance.random() < 0.1 else {}
    status = chance.choice([SpanStatus.OK, SpanStatus.OK, SpanStatus.ERROR])
    told = chance.choice(kinds) | reported
    return make_span(number, parent=parent, attributes=told, status=status)


def requests_of(chance: random.Random, spans: Sequence[WireSpan]) -> list[list[WireSpan]]:
    """In any order, some of them twice, a few at a time."""
    sent = [*spans, *chance.choices(spans, k=3)]
    chance.shuffle(sent)
    found = []
    while sent:
        size = chance.randint(1, 3)
        found.append(sent[:size])
        sent = sent[size:]
    return found


async def totals(session: AsyncSession, spans: Sequence[WireSpan]) -> dict[str, Any]:
    (run,) = (await state_of(session, [spans[0].trace_id]))[0]
    return {name: run[name] for name in TOTALS}


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_totals_are_those_of_a_run_that_came_whole(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    client.headers.update(await key_headers(session, staff))
    chance = random.Random(seed)  # noqa: S311  (no secrets are made)
    count = chance.randint(4, 25)
    spans = [some_step(chance, number, count) for number in range(1, count + 1)]
    await send(client, spans, PROTOBUF)
    whole = await totals(session, spans)
    await session.execute(text("DELETE FROM executions"))
    monkeypatch.setattr(sql, "UPDATE_EXECUTIONS", SHOULD_GROW)
    for request in requests_of(chance, spans):
        await send(client, request, PROTOBUF)
    assert await totals(session, spans) == whole


async def test_run_with_many_steps_is_not_read_for_each_that_comes(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    many = [make_span(n, parent=1, attributes=MODEL | usage(1, 1)) for n in range(3, 600)]
    await send(client, many, PROTOBUF)
    await send(client, [make_span(2, parent=1)], PROTOBUF)  # summed, for the last time
    changed = text("UPDATE spans SET input_tokens = 7 WHERE span_id = :span RETURNING 1")
    assert await session.scalar(changed, {"span": many[0].span_id})  # as nobody does
    found = []
    for span in (make_span(600, parent=2, attributes=MODEL | usage(1, 1)), make_span(1)):
        await send(client, [span], PROTOBUF)
        found.append(await totals(session, [span]))
    assert [each["input_tokens"] for each in found] == [598, 598]
    assert [each["span_count"] for each in found] == [599, 600]
    assert found[1]["cost_source"] == "computed"
