"""Files of other tools, imported into a running server through HTTP only."""

import gzip
import json
from pathlib import Path
from typing import Any

from tests.importing import imported
from tests.integration.importers.conftest import LIMIT
from tests.otlp.logs import logs_json, make_log
from tests.otlp.requests import as_json, make_span
from tests.otlp.state import state_of
from tests.server import Installation


async def state(home: Installation, *traces: str) -> list[list[Any]]:
    async with home.database.unit_of_work() as session:
        return await state_of(session, [bytes.fromhex(trace) for trace in traces])


async def runs(home: Installation, trace: str) -> list[dict[str, Any]]:
    async with home.api_client() as api:
        answer = await api.get("/api/v1/executions", params={"q": trace})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_spans_of_a_collectors_file_are_stored_once(
    server: Installation, tmp_path: Path
) -> None:
    chat = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 2}
    calls = [make_span(n, trace=7, parent=1, attributes=chat) for n in range(2, 100)]
    nowhere = make_span(100, trace=7, parent=1, trace_id=bytes(16))
    lines = [json.dumps(as_json(part)) for part in ([make_span(1, trace=7)], [*calls, nowhere])]
    asked = make_log("gen_ai.user.message", {"content": "Where is it?"}, span=2, trace=7)
    lines.append(json.dumps(logs_json([make_log("app.started", trace=7), asked])))
    assert len(lines[1]) > int(LIMIT)
    path = tmp_path / "traces.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join([lines[0], "{", *lines[1:]]).encode()))
    code, said = await imported(server, "otlp-json", path)
    outcome = "Spans: 99 stored, 1 refused; GenAI events: 1 stored, 0 refused"
    assert (code, outcome in said) == (1, True), said
    assert "log records left out (1)" in said
    assert "line 3: 1 of" in said
    assert "(line 2, column 2)" in said
    trace = (7).to_bytes(16, "big").hex()
    (run,) = await runs(server, trace)
    assert (run["span_count"], run["input_tokens"]) == (99, 2 * len(calls))
    assert run["preview"] == "Where is it?"
    before = await state(server, trace)
    assert (await imported(server, "otlp-json", path))[1] == said
    assert await state(server, trace) == before


def step(trace: str, name: str, above: str | None, **values: Any) -> dict[str, Any]:
    """An observation as Langfuse exports it."""
    times = {"startTime": "2025-06-11T14:01:32.598Z", "endTime": "2025-06-11T14:01:39.589Z"}
    ids = {"id": name, "traceId": trace, "parentObservationId": above, "name": name}
    return {"type": "SPAN", "level": "DEFAULT", "metadata": "{}"} | times | ids | values


async def test_exported_trace_of_langfuse_is_stored_once_with_the_costs_that_were_provided(
    server: Installation, tmp_path: Path
) -> None:
    trace = "00000000-0000-0000-0000-000000000009"
    usage = {"usageDetails": {"input": 7, "output": 3}, "model": "house-model"}
    costs = {"providedCostDetails": {"total": 0.5}, "costDetails": {"total": 0.75}}
    steps = [
        step(trace, "run", None, input="Where is my bag?", output="In Rome."),
        step(trace, "call", "run", type="GENERATION", **usage, **costs),
    ]
    path, bad = tmp_path / "trace.json", tmp_path / "bad.json"
    path.write_text(json.dumps({"trace": {"sessionId": "chat-9"}, "observations": steps}))
    bad.write_text("{}")
    code, said = await imported(server, "langfuse", bad, path)
    assert (code, "Spans: 2 stored, 0 refused" in said) == (1, True), said
    assert f"{bad}, line 1: This is no trace of Langfuse" in said
    stored_as = trace.replace("-", "")
    (run,) = await runs(server, stored_as)
    assert (run["input_tokens"], run["output_tokens"], run["span_count"]) == (7, 3, 2)
    assert (float(run["cost"]), run["cost_source"]) == (0.5, "reported")
    assert (run["status"], run["session_id"]) == ("succeeded", "chat-9")
    before = await state(server, stored_as)
    assert (await imported(server, "langfuse", path))[0] == 0
    assert await state(server, stored_as) == before


async def test_trajectory_is_stored_once_with_the_totals_that_were_counted(
    server: Installation, tmp_path: Path
) -> None:
    opened = {"response": "I open it.", "action": "open a.py", "observation": "1: def f()"}
    stats = {"instance_cost": 0.25, "tokens_sent": 70, "tokens_received": 9, "api_calls": 1}
    task = {"role": "user", "content": "Fix the colon in the ninth file."}
    known = {"exit_status": "exit_cost", "model_stats": stats}
    uncounted = {"exit_status": "submitted", "model_stats": dict.fromkeys(stats, 0)}
    files = []
    for number, info in enumerate((known, uncounted)):
        step = opened | {"state": number}
        files.append(tmp_path / f"{number}.traj")
        files[-1].write_text(json.dumps({"trajectory": [step], "history": [task], "info": info}))
    given = [*map(str, files), "--agent", "swe-agent", "--model", "house-model"]
    code, said = await imported(server, "swe-agent", *given)
    assert (code, "2 created, 0 known, 0 refused" in said) == (0, True), said
    async with server.api_client() as api:
        answer = await api.get("/api/v1/executions", params={"q": "ninth"})
    found = {run["status"]: run for run in answer.json()["items"]}
    totals = {
        status: (run["input_tokens"], run["output_tokens"], run["cost_source"], run["error_type"])
        for status, run in found.items()
    }
    assert totals == {
        "failed": (70, 9, "reported", "exit_cost"),
        "succeeded": (None, None, "unpriced", None),
    }
    traces = [run["trace_id"] for run in found.values()]
    before = await state(server, *traces)
    code, said = await imported(server, "swe-agent", *given)
    assert (code, "0 created, 2 known, 0 refused" in said) == (0, True), said
    assert await state(server, *traces) == before
