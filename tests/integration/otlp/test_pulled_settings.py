"""What a pulled configuration says of OpenTelemetry is what the receiver understands."""

from collections.abc import Iterator
from urllib.parse import unquote

import httpx2
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import User
from app.services.ingestion.otlp import PROTOBUF
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    yield exporter
    exporter.shutdown()


async def test_a_run_is_of_the_agent_and_revision_that_its_resource_says(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    actor: Actor,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = await key_headers(session, staff)
    client.headers.update(headers)
    agent = await make_agent(session, actor, name="shop-bot", config={"a": 1})
    otel = (await client.get("/api/v1/agents/by-name/shop-bot/config")).json()["otel"]
    assert otel["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    name, _, _ = unquote(otel["OTEL_EXPORTER_OTLP_HEADERS"]).partition("=")
    assert name in headers
    changed = await client.patch(f"/api/v1/agents/{agent.id}", json={"config": {"a": 2}})
    assert changed.status_code == 200

    # As the SDK reads it from the environment of the process that pulled the first revision.
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", otel["OTEL_RESOURCE_ATTRIBUTES"])
    monkeypatch.setenv("OTEL_SERVICE_NAME", "checkout")
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("invoke_agent elsewhere") as span:
        span.set_attribute("gen_ai.agent.name", "elsewhere")
    body = encode_spans(exporter.get_finished_spans()).SerializeToString()
    sent = await client.post("/v1/traces", content=body, headers={"Content-Type": PROTOBUF})
    assert (sent.status_code, sent.content) == (200, b"")

    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    read = (await client.get(f"/api/v1/executions/{run['id']}")).json()
    assert (read["agent_id"], read["revision"]) == (agent.id, 1)
