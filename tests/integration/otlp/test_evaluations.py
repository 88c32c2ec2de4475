"""Scores that come with spans are feedback on the run, once."""

import httpx2

from app.services.ingestion.otlp import JSON
from app.services.ingestion.otlp.encoding import pairs
from app.services.ingestion.wire import WireEvent
from tests.integration.otlp.test_convergence import MODEL, send
from tests.otlp.logs import encoded_logs, make_log
from tests.otlp.requests import BEGIN_NS, make_span

RESULT = "gen_ai.evaluation.result"
SAID = {
    "gen_ai.evaluation.name": "relevance",
    "gen_ai.evaluation.score.value": 0.25,
    "gen_ai.evaluation.score.label": "poor",
    "gen_ai.evaluation.explanation": "Off the point.",
}
CALL = make_span(2, parent=1, attributes=MODEL, events=(WireEvent(RESULT, BEGIN_NS, SAID),))
ROOT = make_span(
    1,
    attributes={
        "annotations.0.annotation.name": "toxicity",
        "annotations.0.annotation.score": 0,
        "annotations.1.annotation.name": "says nothing",
        "trace.annotations.0.annotation.name": "solved",
        "trace.annotations.0.annotation.label": "yes",
    },
)
KEPT = ("name", "value", "label", "comment", "span_id", "source", "created_by")
WANTED = [
    ("relevance", "0.25", "poor", "Off the point.", f"{2:016x}", "otlp", None),
    ("solved", None, "yes", None, None, "otlp", None),
    ("toxicity", "0", None, None, f"{1:016x}", "otlp", None),
]


async def feedback(client: httpx2.AsyncClient) -> list[tuple[str | None, ...]]:
    (run,) = (await client.get("/api/v1/executions")).json()["items"]
    given = (await client.get(f"/api/v1/executions/{run['id']}")).json()["feedback"]
    return sorted(tuple(item[name] for name in KEPT) for item in given)


async def test_scores_of_spans_are_feedback_however_often_they_come(
    sender: httpx2.AsyncClient, web: httpx2.AsyncClient
) -> None:
    for spans in ([ROOT, CALL], [CALL], [CALL, ROOT]):
        await send(sender, spans, JSON)
    assert await feedback(sender) == WANTED
    (run,) = (await sender.get("/api/v1/executions")).json()["items"]
    page = (await web.get(f"/executions/{run['id']}")).text
    assert "Off the point." in page
    assert "OpenTelemetry, " in page


async def test_score_that_comes_as_a_log_is_feedback_on_the_step_it_names(
    sender: httpx2.AsyncClient,
) -> None:
    told = encoded_logs([make_log(RESULT, span=2) | {"attributes": pairs(SAID)}], JSON)
    await sender.post("/v1/logs", **told)
    await send(sender, [make_span(1), make_span(2, parent=1, attributes=MODEL)], JSON)
    await sender.post("/v1/logs", **told)
    assert await feedback(sender) == WANTED[:1]
