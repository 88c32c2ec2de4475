"""Whatever a span says, wherever it says it: on no page does it become markup."""

import json
from typing import Any

import httpx2

from app.models.spans import SpanStatus
from app.services.ingestion.otlp import JSON
from app.services.ingestion.wire import Origin, WireEvent, WireSpan
from tests.otlp.requests import as_json, make_span

EVIL = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7*7 }}"
MARKDOWN = f"{EVIL}\n\n[a](javascript:alert(1)) ![b](javascript:alert(1)) <javascript:alert(1)>"
MARKUP = ("<img src=x", "<script>alert", 'href="javascript:', 'src="javascript:', "49</script>")
ORIGIN = Origin({"service.name": EVIL, EVIL: EVIL}, EVIL, EVIL, EVIL)


def messages(role: str) -> str:
    text = {"type": "text", "content": MARKDOWN}
    call = {"type": "tool_call", "id": EVIL, "name": EVIL, "arguments": {EVIL: EVIL}}
    return json.dumps([{"role": role, "parts": [text, call]}, {"role": EVIL, "parts": [text]}])


SCORE = {
    "gen_ai.evaluation.name": EVIL,
    "gen_ai.evaluation.score.label": EVIL,
    "gen_ai.evaluation.explanation": MARKDOWN,
}
THROWN = {"exception.type": EVIL, "exception.message": EVIL, "exception.stacktrace": EVIL}
EVENTS = (
    WireEvent("gen_ai.evaluation.result", 1, SCORE),
    WireEvent("exception", 2, THROWN),
    WireEvent(EVIL, 3, {EVIL: EVIL}),
)
AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": EVIL,
    "gen_ai.agent.description": MARKDOWN,
    "session.id": EVIL,
    "user.id": EVIL,
    "tag.tags": [EVIL],
    EVIL: EVIL,
}
MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": EVIL,
    "gen_ai.provider.name": EVIL,
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.input.messages": messages("user"),
    "gen_ai.output.messages": messages("assistant"),
}
TOOL = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": EVIL,
    "gen_ai.tool.call.arguments": json.dumps({EVIL: EVIL}),
    "gen_ai.tool.call.result": MARKDOWN,
}


def hostile_spans() -> list[WireSpan]:
    common: dict[str, Any] = {"name": EVIL, "status_message": EVIL, "origin": ORIGIN}
    common["status"] = SpanStatus.ERROR
    return [
        make_span(1, attributes=AGENT, events=EVENTS, **common),
        make_span(2, parent=1, attributes=MODEL, **common),
        make_span(3, parent=1, attributes=TOOL, **common),
    ]


async def test_what_spans_say_is_text_on_every_page(
    web: httpx2.AsyncClient, sender: httpx2.AsyncClient
) -> None:
    refused = make_span(4, trace=2, start_ns=2**62, name=EVIL, origin=ORIGIN)
    request = as_json([*hostile_spans(), refused])
    answer = await sender.post("/v1/traces", json=request, headers={"Content-Type": JSON})
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    (run,) = (await sender.get("/api/v1/executions")).json()["items"]
    page = f"/executions/{run['id']}"
    steps = [f"{page}?span={number:016x}" for number in (1, 2, 3)]
    batch = f"/ingest/{answer.headers['X-Greenroom-Batch']}"
    agent = f"/agents/{run['agent_id']}"
    places = ["/", "/executions", page, *steps, "/ingest", batch, agent, "/agents", "/tools"]
    for place in places:
        shown = await web.get(place)
        assert shown.status_code == 200, place
        assert [mark for mark in MARKUP if mark in shown.text.lower()] == [], place
    assert "&lt;img src=x onerror" in (await web.get(steps[1])).text
