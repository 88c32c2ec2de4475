"""What the SDK makes: spans with links in both encodings, and events as logs."""

from typing import Any

import httpx2
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, TraceFlags
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.services.ingestion.otlp import PROTOBUF
from tests.factories.clients import key_headers
from tests.integration.otlp.test_sdk import shop
from tests.otlp.requests import with_hex_ids
from tests.otlp.state import state_of

EARLIER = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1))


def recorded() -> tuple[bytes, dict[str, Any], bytes]:
    """What the SDK exports, in both encodings, and the trace id."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("shop", "1.2")
    again = Link(EARLIER, {"why": "retry", "tries": 2})
    with tracer.start_as_current_span("invoke_agent shop", links=[again]) as root:
        root.set_attribute("gen_ai.agent.name", "shop")
        shop(provider)
    request = encode_spans(memory.get_finished_spans())
    as_json = with_hex_ids(MessageToDict(request, use_integers_for_enums=True))
    return (
        request.SerializeToString(),
        as_json,
        root.get_span_context().trace_id.to_bytes(16, "big"),
    )


async def test_both_encodings_of_the_sdks_spans_make_the_same_run_with_its_links(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    packed, as_json, trace_id = recorded()
    headers = {"Content-Type": PROTOBUF}
    assert (await client.post("/v1/traces", content=packed, headers=headers)).status_code == 200
    wanted = await state_of(session, [trace_id])
    await session.execute(text("DELETE FROM executions"))
    assert (await client.post("/v1/traces", json=as_json)).json() == {}
    assert await state_of(session, [trace_id]) == wanted
    assert wanted[0][0]["span_count"] == 4
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    told = (await client.get(f"/api/v1/executions/{run['id']}/otlp")).json()
    (first, *_) = told["resourceSpans"][0]["scopeSpans"][0]["spans"]
    (link,) = first["links"]
    assert (link["traceId"], link["spanId"]) == (f"{0xA1:032x}", f"{0xB2:016x}")
    assert {pair["key"]: pair["value"] for pair in link["attributes"]} == {
        "why": {"stringValue": "retry"},
        "tries": {"intValue": "2"},
    }


async def test_events_that_the_sdk_sends_as_logs_are_the_conversation_of_their_span(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    spans = InMemorySpanExporter()
    records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # not annotated
    tracing, logging = TracerProvider(), LoggerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    logging.add_log_record_processor(SimpleLogRecordProcessor(records))
    logger = logging.get_logger("openai")
    with tracing.get_tracer("openai").start_as_current_span("chat gpt-4o") as call:
        call.set_attribute("gen_ai.operation.name", "chat")
        asked = {"content": "Where is it?"}
        logger.emit(event_name="gen_ai.user.message", body=asked)
        said = {"role": "assistant", "content": "In B2."}
        logger.emit(event_name="gen_ai.choice", body={"index": 0, "message": said})
    headers = {"Content-Type": PROTOBUF}
    for path, request in (
        ("/v1/logs", encode_logs(records.get_finished_logs())),
        ("/v1/traces", encode_spans(spans.get_finished_spans())),
    ):
        answer = await client.post(path, content=request.SerializeToString(), headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
    trace_id = call.get_span_context().trace_id.to_bytes(16, "big")
    _, (step,) = await state_of(session, [trace_id])
    assert step["body"]["input"] == [{"role": "user", "content": "Where is it?"}]
    assert step["body"]["output"] == [said]
