"""Spans that are exported to Greenroom are runs there."""

from decimal import Decimal

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from app.services.ingestion.otlp import PROTOBUF
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.otlp.requests import ENCODINGS, encoded, make_span

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "Shop Helper",
    "gen_ai.conversation.id": "c-7",
    "gen_ai.input.messages": (
        '[{"role":"user","parts":[{"type":"text","content":"Is it in stock?"}]}]'
    ),
}
TRACE = [
    make_span(2, parent=1, attributes=CHAT),
    make_span(3, parent=1, attributes={"gen_ai.operation.name": "execute_tool"}),
    make_span(1, attributes=AGENT, end_ns=1_790_000_009_000_000_000),
]


@pytest.mark.parametrize(("media_type", "packed"), ENCODINGS)
async def test_a_trace_is_a_run_of_a_drafted_agent(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, media_type: str, packed: bool
) -> None:
    client.headers.update(await key_headers(session, staff))
    sent = await client.post("/v1/traces", **encoded(TRACE, media_type, packed=packed))
    assert sent.status_code == 200, sent.text
    assert sent.headers["content-type"] == media_type
    if media_type == PROTOBUF:
        answer = ExportTraceServiceResponse.FromString(sent.content)
        assert not answer.HasField("partial_success")
    else:
        assert sent.json() == {}
    run = (await client.get("/api/v1/executions?session_id=c-7")).json()["items"][0]
    assert (run["status"], run["source"], run["model"]) == ("succeeded", "otlp", "gpt-4o")
    assert (run["input_tokens"], run["output_tokens"], run["span_count"]) == (1000, 100, 3)
    assert Decimal(run["cost"]) == Decimal("0.0035")
    assert run["preview"] == "Is it in stock?"
    agent = (await client.get(f"/api/v1/agents/{run['agent_id']}")).json()
    assert (agent["name"], agent["is_draft"], agent["model"]) == ("shop-helper", True, "gpt-4o")
    trace = (await client.get(f"/api/v1/executions/{run['id']}/trace")).json()
    assert [span["kind"] for span in trace["spans"]] == ["agent", "llm", "tool"]


async def test_batch_needs_as_many_queries_for_many_runs_of_an_agent_as_for_one(
    sender: httpx2.AsyncClient, session: AsyncSession, staff: User, counted: QueryCounter
) -> None:
    """Also in one that drafts an agent, after which none is remembered beyond it."""
    await make_agent(session, actor_for(staff), name="known-agent")
    needed = []
    for runs in (2, 1, 9):  # the first reads what stays in mind
        names = [f"unheard-of-{runs}", *["known-agent"] * runs]
        spans = [
            make_span(1, trace=10 * runs + place, attributes={"gen_ai.agent.name": name})
            for place, name in enumerate(names)
        ]
        counted.statements.clear()
        with counted:
            assert (await sender.post("/v1/traces", **encoded(spans, PROTOBUF))).status_code == 200
        needed.append(counted.count)
    assert needed[1] == needed[2]
