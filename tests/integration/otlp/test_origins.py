"""What made spans stays known for as long as a span names it, and comes back when it is gone."""

from datetime import date

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import memories_of
from app.models import User
from app.services.ingestion.otlp import JSON
from tests.factories.clients import key_headers
from tests.otlp.requests import BEGIN_NS, SECOND, encoded, make_span

MONTH = 31 * 24 * 3600 * SECOND
ORIGINS = text("SELECT id, used_until FROM span_origins ORDER BY id")
NAMED = text("SELECT count(*) FROM span_bodies b JOIN span_origins o ON o.id = b.origin_id")


@pytest.fixture
async def sender(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> httpx2.AsyncClient:
    client.headers.update(await key_headers(session, staff))
    return client


async def send(sender: httpx2.AsyncClient, number: int, months: int) -> None:
    span = make_span(number, trace=number, start_ns=BEGIN_NS - months * MONTH)
    answer = await sender.post("/v1/traces", **encoded([span], JSON))
    assert answer.status_code == 200, answer.text


async def test_origin_is_used_until_the_last_month_of_its_spans(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await send(sender, 1, months=2)
    [(row_id, until)] = (await session.execute(ORIGINS)).all()
    for number, months in ((2, 0), (3, 1)):
        await send(sender, number, months)
    [(same_id, later)] = (await session.execute(ORIGINS)).all()
    assert same_id == row_id
    assert (until, later) == (date(2026, 7, 1), date(2026, 9, 1))
    assert await session.scalar(NAMED) == 3

    await session.execute(text("DELETE FROM span_origins"))
    memories_of(session).heard(is_heard=True)
    await send(sender, 4, months=0)
    assert await session.scalar(NAMED) == 1
