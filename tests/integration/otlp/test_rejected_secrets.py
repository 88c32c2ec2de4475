"""Secrets of spans that are refused are kept no more than those of spans that are stored."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.wire import Origin, WireEvent, WireLink, WireSpan
from tests.otlp.refusing import refuse_spans
from tests.otlp.requests import BEGIN_NS, as_json, encoded, make_span

KEPT = text("SELECT count(*) AS rows, string_agg(request::text, ' ') AS told FROM rejected_spans")
HIDDEN = {
    "http.request.header.authorization": "canary-1",
    "kept": "plain",
    "llm.invocation_parameters": json.dumps({"api_key": "canary-2", "top_p": 1}),
    "nested": {"headers": [{"cookie": "canary-3"}]},
}
SECRETIVE = make_span(
    1,
    name="unbearable",
    attributes=HIDDEN,
    events=(WireEvent("exception", BEGIN_NS, HIDDEN),),
    links=(WireLink(b"\x09" * 16, b"\x08" * 8, HIDDEN),),
    origin=Origin({"service.name": "shop"} | HIDDEN, "tests"),
)
LATE = replace(SECRETIVE, start_ns=4_000_000_000_000_000_000, end_ns=None)
NAMELESS = replace(SECRETIVE, trace_id=b"", span_id=b"")


async def told(session: AsyncSession) -> str:
    row = (await session.execute(KEPT)).one()
    assert row.rows == 1
    kept: str = row.told
    return kept


def check(kept: str) -> None:
    assert "canary" not in kept
    assert kept.count("plain") == 4, "the rest is there to be read and sent again"
    assert "top_p" in kept


@pytest.mark.parametrize("media_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("span", [LATE, NAMELESS], ids=["late", "nameless"])
async def test_refused_while_it_is_read(
    sender: httpx2.AsyncClient, session: AsyncSession, span: WireSpan, media_type: str
) -> None:
    await sender.post("/v1/traces", **encoded([span], media_type))
    check(await told(session))


async def test_refused_while_it_is_read_with_fields_that_nobody_knows(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    request = as_json([LATE])
    span: dict[str, Any] = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span |= {"password": "canary-4", "traceId": {"cookie": "x" * 200 + "canary-5"}}
    await sender.post("/v1/traces", json=request)
    kept = await told(session)
    check(kept)
    assert "cookie" in kept, "what it is refused for is seen as it was sent"


async def test_refused_because_of_its_run(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await sender.post("/v1/traces", **encoded([make_span(2)], JSON))
    await session.execute(text("UPDATE executions SET deleted_at = now()"))
    await sender.post("/v1/traces", **encoded([SECRETIVE], JSON))
    check(await told(session))


async def test_refused_by_the_database_and_refused_again(
    sender: httpx2.AsyncClient, session: AsyncSession
) -> None:
    await refuse_spans(session)
    answer = await sender.post("/v1/traces", **encoded([SECRETIVE, make_span(2)], JSON))
    kept = await told(session)
    check(kept)
    batch = answer.headers["x-greenroom-batch"]
    again = await sender.post(f"/api/v1/ingest-batches/{batch}/replay")
    assert (again.json()["stored"], again.json()["refused"]) == (0, 1)
    assert await told(session) == kept
