"""A run is handed on as OTLP, and taken back makes the same run."""

from dataclasses import replace
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import User
from app.models.spans import SpanStatus
from app.services.ingestion import exports
from app.services.ingestion.otlp import JSON
from app.services.ingestion.wire import Origin, WireEvent, WireLink
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import MODEL_STEP, ROOT, execution_data
from tests.integration.otlp.test_convergence import MODEL, TRACE, said, usage
from tests.otlp.requests import BEGIN_NS, encoded, make_span
from tests.otlp.state import state_of

RICH = make_span(
    8,
    parent=1,
    attributes=MODEL
    | usage(2, 3)
    | said("rich")
    | {"list": ["a", 1], "nested": {"deep": {"yes": True}}, "half": 0.5, "raw": b"\x00\xff"},
    kind=3,
    status=SpanStatus.ERROR,
    status_message="out of luck",
    events=(WireEvent("exception", BEGIN_NS, {"exception.type": "OSError", "n": 2}),),
    links=(WireLink(b"\x09" * 16, b"\x08" * 8, {"why": "retry"}),),
    parent_is_remote=True,
    origin=Origin({"service.name": "search", "n": 1}, "other", "2", "https://example.org/1"),
)
OPEN = replace(make_span(9, parent=1), end_ns=None)


async def export(client: httpx2.AsyncClient, execution_id: int) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/executions/{execution_id}/otlp")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == JSON
    assert ".otlp.json" in answer.headers["content-disposition"]
    found: dict[str, Any] = answer.json()
    return found


async def only_run(client: httpx2.AsyncClient) -> dict[str, Any]:
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    found: dict[str, Any] = (await client.get(f"/api/v1/executions/{run['id']}")).json()
    return found


async def taken_back(
    client: httpx2.AsyncClient, session: AsyncSession, request: dict[str, Any]
) -> dict[str, Any]:
    """The run that what was exported makes where nothing of it is left."""
    await session.execute(text("DELETE FROM executions"))
    answer = await client.post("/v1/traces", json=request)
    assert (answer.status_code, answer.json()) == (200, {})
    return await only_run(client)


async def test_exported_spans_make_the_same_run_again(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    monkeypatch: Any,  # pytest's
) -> None:
    monkeypatch.setattr(exports, "ROWS", exports.ROWS.limit(2))  # several pages
    client.headers.update(await key_headers(session, staff))
    spans = [*TRACE, RICH, OPEN]
    assert (await client.post("/v1/traces", **encoded(spans, JSON))).status_code == 200
    wanted = await state_of(session, [RICH.trace_id])
    assert len(wanted[1]) == len(spans)
    request = await export(client, (await only_run(client))["id"])
    await taken_back(client, session, request)
    assert await state_of(session, [RICH.trace_id]) == wanted


KEPT = ("status", "model", "input_tokens", "output_tokens", "cost", "span_count", "session_id")


async def test_runs_of_the_json_api_are_exported_in_opentelemetrys_words(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, actor: Actor
) -> None:
    client.headers.update(await key_headers(session, staff))
    agent = await make_agent(session, actor)
    step = MODEL_STEP | {"cost": "0.25", "provider": "openai", "cached_tokens": 0}
    data = execution_data(agent, session_id="s-1", tags=["vip"])
    data["spans"] = [ROOT, step, data["spans"][-1]]
    created = await client.post("/api/v1/executions", json=data)
    assert created.status_code == 201, created.text
    before = await only_run(client)
    trace = (await client.get(f"/api/v1/executions/{before['id']}/trace")).json()
    after = await taken_back(client, session, await export(client, before["id"]))
    again = (await client.get(f"/api/v1/executions/{after['id']}/trace")).json()
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert (after["agent_id"], after["tags"]) == (agent.id, ["vip"])
    for was, now in zip(trace["spans"], again["spans"], strict=True):
        same = ("span_id", "kind", "name", "status", "start_ns", "end_ns", "tool_name", "provider")
        assert {n: now.get(n) for n in same} == {n: was.get(n) for n in same}
    (call,) = [span for span in again["spans"] if span["kind"] == "llm"]
    assert call["input"] == [{"role": "user", "content": "Where is my bag?"}]
    assert call["output"][0]["tool_calls"][0]["function"]["name"] == "find_bag"
    assert call["cached_tokens"] == 0


async def test_a_failed_run_whose_steps_went_well_comes_back_as_failed(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, actor: Actor
) -> None:
    client.headers.update(await key_headers(session, staff))
    agent = await make_agent(session, actor)
    data = execution_data(agent, status="failed", error_type="wrong_answer")
    data["spans"] = [ROOT, MODEL_STEP]
    assert (await client.post("/api/v1/executions", json=data)).status_code == 201
    request = await export(client, (await only_run(client))["id"])
    after = await taken_back(client, session, request)
    assert (after["status"], after["error_type"]) == ("failed", "wrong_answer")
    assert after["error_count"] == 1


async def test_a_run_without_steps_is_exported_as_one(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, actor: Actor
) -> None:
    client.headers.update(await key_headers(session, staff))
    agent = await make_agent(session, actor)
    data = execution_data(agent, input_tokens=7, output_tokens=2, status="failed", error="Lost.")
    data["spans"] = []
    assert (await client.post("/api/v1/executions", json=data)).status_code == 201
    before = await only_run(client)
    after = await taken_back(client, session, await export(client, before["id"]))
    assert (after["status"], after["error"], after["agent_id"]) == ("failed", "Lost.", agent.id)
    assert (after["input_tokens"], after["output_tokens"], after["span_count"]) == (7, 2, 1)
    assert after["input"] == [{"role": "user", "content": "Where is my bag?"}]


async def test_nobody_exports_a_run_that_is_not_to_be_seen(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, member: User
) -> None:
    client.headers.update(await key_headers(session, staff))
    await client.post("/v1/traces", **encoded(TRACE, JSON))
    run = await only_run(client)
    client.headers.update(await key_headers(session, member))
    answer = await client.get(f"/api/v1/executions/{run['id']}/otlp")
    assert answer.status_code == 404
