"""A long run is not summed anew for each step that comes, and its totals are the same."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.models import User
from app.services.ingestion import intake
from app.services.ingestion import statements as sql
from app.services.ingestion.growing_runs import Growth, growth_of
from app.services.ingestion.otlp import PROTOBUF
from app.services.ingestion.queue import IngestQueue
from app.services.ingestion.wire import WireSpan
from tests.conftest import actor_for, client_of
from tests.factories.clients import key_headers
from tests.factories.model_prices import make_model_price
from tests.factories.users import make_user
from tests.integration.otlp.test_convergence import MODEL, send, usage
from tests.otlp.growing import Growing, Stage, batches_of
from tests.otlp.requests import make_span
from tests.otlp.state import state_of

TOTALS = (*sql.TOTALS, "cost", "cost_source", "span_count", "error_count")
SEEDS = range(5)
SUMMING, LONG = sql.UPDATE_EXECUTIONS, f">= {sql.LONG_RUN}"
Grow = Callable[[random.Random, int], Growing]


async def totals(session: AsyncSession, spans: Sequence[WireSpan]) -> dict[str, Any]:
    (run,) = (await state_of(session, [spans[0].trace_id]))[0]
    return {name: run[name] for name in TOTALS}


@pytest.fixture
async def growing(app: FastAPI, settings: Settings, own_database: Database) -> AsyncIterator[Grow]:
    """Makes runs that two keys of one person write to, at once too."""
    app.state.database = own_database
    app.state.ingest_queue = IngestQueue(own_database, settings.otlp_max_body_bytes)
    async with client_of(app) as one, client_of(app) as two:
        async with own_database.unit_of_work() as session:
            user = await make_user(session, role=Role.SUPERUSER)
            for client in (one, two):
                client.headers.update(await key_headers(session, user))
            price = await make_model_price(session, actor_for(user))
        stage = Stage(own_database, actor_for(user), (one, two), price.id)
        yield lambda chance, trace: Growing(stage, chance, trace)


async def test_run_is_the_one_that_came_whole_whatever_happens_in_between(
    growing: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown: list[bool] = []

    def noted(*given: Any) -> Growth | None:  # as ``growth_of``
        growth = growth_of(*given)
        grown.append(growth is not None)
        return growth

    monkeypatch.setattr(intake, "growth_of", noted)
    for seed in SEEDS:
        chance = random.Random(seed)  # noqa: S311  (no secrets are made)
        longer = f">= {chance.choice([1, 4, 9])}"
        monkeypatch.setattr(sql, "UPDATE_EXECUTIONS", SUMMING.replace(LONG, longer))
        monkeypatch.setattr(sql, "MAX_AWAITED", chance.choice([300, 2]))
        monkeypatch.setattr(sql, "MAX_ABOVE", chance.choice([200, 3]))
        run = growing(chance, 2 * seed + 1)
        await run.go(batches_of(chance, run.trace))
        await run.check_whole(2 * seed + 2)
        await run.lose()
    assert {True, False} == set(grown)


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
