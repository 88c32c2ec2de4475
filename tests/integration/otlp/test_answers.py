"""Answers that exporters understand, and final ones only where sending again is in vain."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships stubs unmarked
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import Permission
from app.core.rate_limits import RateLimits
from app.models import User
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.queue import IngestQueue
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import key_headers
from tests.otlp.requests import encoded, make_span

Answer = httpx2.Response
TYPES = [PROTOBUF, JSON]


def said(answer: Answer) -> tuple[int, str]:
    """The code and message of a ``google.rpc.Status`` in either encoding."""
    if answer.headers["content-type"] == PROTOBUF:
        status = Status.FromString(answer.content)
        return status.code, status.message
    body = answer.json()
    assert body.keys() == {"code", "message"}
    return body["code"], body["message"]


def partial(answer: Answer) -> tuple[int, str]:
    if answer.headers["content-type"] == PROTOBUF:
        found = ExportTraceServiceResponse.FromString(answer.content).partial_success
        return found.rejected_spans, found.error_message
    found = answer.json()["partialSuccess"]
    return int(found["rejectedSpans"]), found["errorMessage"]


@pytest.fixture
async def sender(
    client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> httpx2.AsyncClient:
    client.headers.update(await key_headers(session, member))
    return client


@pytest.mark.parametrize("media_type", TYPES)
async def test_a_body_that_cannot_be_read_is_refused_for_good(
    sender: httpx2.AsyncClient, media_type: str
) -> None:
    answer = await sender.post("/v1/traces", content=b"\xff{", headers={"Content-Type": media_type})
    assert (answer.status_code, answer.headers["content-type"]) == (400, media_type)
    code, message = said(answer)
    assert (code, bool(message)) == (3, True)


@pytest.mark.parametrize("media_type", TYPES)
async def test_an_empty_request_is_a_success(sender: httpx2.AsyncClient, media_type: str) -> None:
    for content in (b"", b"{}") if media_type == JSON else (b"",):
        answer = await sender.post(
            "/v1/traces", content=content, headers={"Content-Type": media_type}
        )
        assert answer.status_code == 200
        assert answer.content == (b"{}" if media_type == JSON else b"")


@pytest.mark.parametrize("media_type", TYPES)
async def test_what_cannot_be_stored_is_counted_and_kept_with_the_reason(
    sender: httpx2.AsyncClient, session: AsyncSession, media_type: str
) -> None:
    late = make_span(2, start_ns=4_000_000_000_000_000_000, end_ns=None)
    answer = await sender.post("/v1/traces", **encoded([make_span(1), late], media_type))
    assert answer.status_code == 200
    rejected, why = partial(answer)
    assert rejected == 1
    assert "in the future" in why
    kept = (await session.execute(text("SELECT reason, name, request FROM rejected_spans"))).one()
    assert (kept.reason, kept.name) == (why, "step 2")
    batch = (await session.execute(text("SELECT * FROM ingest_batches"))).mappings().one()
    assert answer.headers["x-greenroom-batch"] == str(batch["id"])
    assert (batch["span_count"], batch["rejected_count"], batch["execution_count"]) == (2, 1, 1)


@pytest.mark.parametrize("media_type", TYPES)
async def test_what_is_cut_off_a_span_is_said_and_handed_on(
    sender: httpx2.AsyncClient, session: AsyncSession, media_type: str
) -> None:
    many = {f"key{number}": number for number in range(2_003)}
    span = make_span(1, attributes=many, dropped={"attributes": 4, "links": 1})
    answer = await sender.post("/v1/traces", **encoded([span], media_type))
    message = answer.content.decode(errors="replace")
    assert answer.status_code == 200
    assert "cut in 1 spans: at most 2,000 attributes" in message
    run = await session.scalar(text("SELECT id FROM executions"))
    exported = (await sender.get(f"/api/v1/executions/{run}/otlp")).json()
    sent_on = exported["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (len(sent_on["attributes"]), sent_on["droppedAttributesCount"]) == (2_000, 7)
    assert sent_on["droppedLinksCount"] == 1


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("signal", ["logs", "metrics"])
async def test_other_signals_are_answered(
    sender: httpx2.AsyncClient, media_type: str, signal: str
) -> None:
    content = b"{}" if media_type == JSON else b""
    answer = await sender.post(
        f"/v1/{signal}", content=content, headers={"Content-Type": media_type}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize("media_type", TYPES)
async def test_refusals_are_in_the_encoding_of_the_request(
    client: httpx2.AsyncClient, session: AsyncSession, member: User, media_type: str
) -> None:
    request = encoded([make_span(1)], media_type)
    codes: dict[str, Any] = {}
    for name, scopes in (("nobody", None), ("reader", [Permission.EXECUTIONS_READ])):
        headers = {} if scopes is None else await key_headers(session, member, scopes)
        answer = await client.post(
            "/v1/traces", content=request["content"], headers=request["headers"] | headers
        )
        assert answer.headers["content-type"] == media_type
        codes[name] = answer.status_code, said(answer)[0]
    assert codes == {"nobody": (401, 16), "reader": (403, 7)}


async def test_keys_come_by_either_header(
    client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    _, key = await make_api_key(session, member)
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        request = encoded([make_span(1)], PROTOBUF)
        request["headers"] |= headers
        assert (await client.post("/v1/traces", **request)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {},
        {"Content-Type": JSON, "Content-Encoding": "br"},
    ],
    ids=["text", "nothing", "brotli"],
)
async def test_other_types_and_encodings_are_refused_by_name(
    sender: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await sender.post("/v1/traces", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert "gzip" in said(answer)[1] or PROTOBUF in said(answer)[1]


async def test_what_is_too_large_is_refused_before_and_after_it_is_unpacked(
    app: FastAPI, sender: httpx2.AsyncClient, settings: Settings
) -> None:
    headers = {"Content-Type": JSON, "Content-Length": str(settings.otlp_max_body_bytes + 1)}
    answer = await sender.post("/v1/traces", content=b"{}", headers=headers)
    assert (answer.status_code, said(answer)[0]) == (413, 8)
    app.state.settings = settings.model_copy(update={"otlp_max_body_bytes": 1_000})
    content = gzip.compress(b'{"x": "' + b"a" * 1_000 + b'"}')
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    answer = await sender.post("/v1/traces", content=content, headers=headers)
    assert (answer.status_code, said(answer)[0]) == (413, 8)


async def test_more_than_fits_is_for_later(
    app: FastAPI, sender: httpx2.AsyncClient, settings: Settings
) -> None:
    queue: IngestQueue = app.state.ingest_queue
    with queue.admit(settings.otlp_max_body_bytes):
        answer = await sender.post("/v1/traces", **encoded([make_span(1)], PROTOBUF))
    assert (answer.status_code, said(answer)[0]) == (503, 14)
    assert int(answer.headers["retry-after"]) > 0
    assert (await sender.post("/v1/traces", **encoded([make_span(1)], PROTOBUF))).status_code == 200


async def test_body_in_chunks_is_read_of_known_senders_and_within_the_same_bounds(
    app: FastAPI, sender: httpx2.AsyncClient, settings: Settings
) -> None:
    headers, read = {"Content-Type": JSON}, 0

    async def chunks(count: int) -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(count):
            read += 1
            yield b" " * 1024 * 1024

    stranger = headers | {"X-API-Key": "gr_unknown"}
    answer = await sender.post("/v1/traces", content=chunks(1), headers=stranger)
    assert (answer.status_code, read) == (401, 0)
    with app.state.ingest_queue.admit(settings.otlp_max_body_bytes - 1):
        answer = await sender.post("/v1/traces", content=chunks(1), headers=headers)
    assert (answer.status_code, read) == (503, 1)
    with app.state.ingest_queue.admit(settings.otlp_max_body_bytes - 1024 * 1024):
        answer = await sender.post("/v1/traces", content=chunks(40), headers=headers)
    assert (answer.status_code, said(answer)[0]) == (503, 14)
    assert app.state.ingest_queue.held_bytes == 0
    answer = await sender.post("/v1/traces", content=chunks(100), headers=headers)
    assert (answer.status_code, said(answer)[0]) == (413, 8)


async def test_too_many_requests_are_for_later(
    app: FastAPI, sender: httpx2.AsyncClient, settings: Settings
) -> None:
    limited = settings.model_copy(update={"rate_limit_report_per_minute": 1})
    app.state.rate_limits = RateLimits(limited)
    answers = [await sender.post("/v1/traces", **encoded([make_span(1)], JSON)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) > 0
    assert said(answers[1])[0] == 8


async def test_a_key_of_one_agent_writes_to_that_agent_whatever_spans_say(
    client: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    agent = await make_agent(session, actor_for(member))
    headers = await key_headers(session, member, agent=agent)
    span = make_span(1, attributes={"gen_ai.agent.name": "somebody-else"})
    request = encoded([span], JSON)
    request["headers"] |= headers
    assert (await client.post("/v1/traces", **request)).json() == {}
    found = await session.execute(text("SELECT agent_id FROM executions"))
    assert found.scalars().all() == [agent.id]


async def test_spans_add_to_a_run_that_was_recorded_by_the_api(
    sender: httpx2.AsyncClient, session: AsyncSession, member: User
) -> None:
    agent = await make_agent(session, actor_for(member))
    span = make_span(
        1, attributes={"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7}
    )
    run = {
        "agent": agent.name,
        "trace_id": span.trace_id.hex(),
        "output_tokens": 3,
        "session_id": "mine",
    }
    created = (await sender.post("/api/v1/executions", json=run)).json()
    await sender.post("/v1/traces", **encoded([replace(span, name="later")], PROTOBUF))
    found = (await sender.get(f"/api/v1/executions/{created['id']}")).json()
    assert (found["input_tokens"], found["output_tokens"], found["span_count"]) == (7, 3, 1)
    assert (found["agent_id"], found["session_id"], found["status"]) == (
        agent.id,
        "mine",
        "succeeded",
    )
