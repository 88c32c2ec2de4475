"""Small cuts of Langfuse's exports, as the receiver reads what becomes of them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.importers.files import InputError
from app.importers.langfuse import parts_of, request_of
from app.models.spans import SpanKind, SpanStatus
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.wire import WireSpan

Json = dict[str, Any]
TRACE_ID, ROOT, STEP = "0a" * 16, "0b" * 8, "0c" * 8
TRACE = {"id": TRACE_ID, "sessionId": "chat-1", "userId": "ada", "tags": ["shop"]}
START, END = "2025-06-11T14:01:32.598Z", "2025-06-11T14:01:39.589Z"


def observation(**values: Any) -> Json:
    base: Json = {
        "id": STEP,
        "traceId": TRACE_ID,
        "parentObservationId": None,
        "type": "GENERATION",
        "name": "call",
        "startTime": START,
        "endTime": END,
        "level": "DEFAULT",
        "statusMessage": None,
        "input": None,
        "output": None,
        "model": "gpt-4o",
        "usageDetails": {},
        "costDetails": {},
        "providedCostDetails": {},
        "metadata": None,
    }
    return base | values


def sent_by(scope: str, **attributes: Any) -> str:
    """The metadata of a step whose span this scope sent."""
    resource = {"service.name": "shop"}
    found = {"attributes": attributes, "resourceAttributes": resource, "scope": {"name": scope}}
    return json.dumps(found)


def spans(*observations: Json, **trace: Any) -> list[WireSpan]:
    request = request_of({"trace": TRACE | trace, "observations": list(observations)})
    found = decode_json(json.dumps(request).encode())
    assert found.rejected == []
    return found.spans


def facts(**values: Any) -> SpanFacts:
    (span,) = spans(observation(**values))
    return read_span(span)


def test_step_keeps_its_identity_times_and_origin() -> None:
    root = observation(id=ROOT, metadata=sent_by("ai.koog"))
    above, below = spans(root, observation(parentObservationId=ROOT, metadata=sent_by("ai.koog")))
    assert (above.trace_id.hex(), above.span_id.hex()) == (TRACE_ID, ROOT)
    assert (above.parent_span_id, below.parent_span_id) == (None, bytes.fromhex(ROOT))
    assert above.start_ns == 1_749_650_492_598_000_000
    assert above.end_ns == 1_749_650_499_589_000_000
    assert (above.origin.resource, above.origin.scope_name) == ({"service.name": "shop"}, "ai.koog")


def test_ids_that_are_none_of_opentelemetry_become_the_same_ones_each_time() -> None:
    trace_id = "6fa459ea-ee8a-3ca4-894e-db77e160355e"
    given = [
        observation(id="first step", traceId=trace_id),
        observation(id="second", traceId=trace_id, parentObservationId="first step"),
    ]
    first, second = spans(*given)
    assert first.trace_id.hex() == trace_id.replace("-", "")
    assert second.parent_span_id == first.span_id
    assert spans(*given) == [first, second]


def test_step_below_one_that_is_not_there_is_a_root() -> None:
    (span,) = spans(observation(parentObservationId="0f" * 8))
    assert span.parent_span_id is None


def test_events_end_as_they_begin_and_other_steps_without_end_stay_open() -> None:
    (event,) = spans(observation(type="EVENT", endTime=None))
    (step,) = spans(observation(endTime=None))
    assert (event.end_ns, step.end_ns) == (event.start_ns, None)


def test_failure_keeps_its_message() -> None:
    (span,) = spans(observation(level="ERROR", statusMessage="429", metadata=sent_by("x")))
    assert (span.status, span.status_message) == (SpanStatus.ERROR, "429")


def test_own_steps_are_read_from_their_fields() -> None:
    found = facts(
        input=[{"role": "user", "content": "Hi"}],
        output="Hello",
        usageDetails={"input": 10, "output": 2, "input_cached_tokens": 4, "total": 12},
        metadata={"scope": {"name": "langfuse-sdk", "version": "3"}, "ls_provider": "openai"},
    )
    assert (found.kind, found.model_name, found.provider) == (SpanKind.LLM, "gpt-4o", "openai")
    assert (found.usage.input, found.usage.output, found.usage.cached) == (10, 2, 4)
    assert (found.session_id, found.end_user, found.tags) == ("chat-1", "ada", ["shop"])
    assert [message["content"] for message in found.input] == ["Hi"]


def test_steps_of_older_versions_without_metadata_are_read_alike() -> None:
    found = facts(input="Hi", output="Hello", metadata=None)
    assert (found.kind, found.model_name) == (SpanKind.LLM, "gpt-4o")


def test_words_that_moved_into_fields_are_read_again() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    name = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    found = facts(input=messages, metadata=sent_by("agent_framework", **name))
    assert [message["content"] for message in found.input] == ["Hi"]
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find"}
    found = facts(
        type="TOOL", input={"id": 1}, output="ok", metadata=sent_by("agent_framework", **tool)
    )
    assert (found.kind, found.input, found.output) == (SpanKind.TOOL, {"id": 1}, "ok")


@pytest.mark.parametrize("scope", ["langfuse-sdk", "openinference.instrumentation.agno", "ai.koog"])
def test_only_costs_that_were_provided_are_reported(scope: str) -> None:
    computed = {"input": 0.1, "total": 0.3}
    known: Json = {"usageDetails": {"input": 5, "output": 1}, "costDetails": computed}
    assert facts(**known, metadata=sent_by(scope)).usage.cost is None
    provided = {"providedCostDetails": {"total": 0.25}}
    assert facts(**known, **provided, metadata=sent_by(scope)).usage.cost == Decimal("0.25")


@pytest.mark.parametrize("scope", ["langfuse-sdk", "openinference.instrumentation.agno", "ai.koog"])
def test_unknown_tokens_stay_unknown(scope: str) -> None:
    usage = facts(usageDetails={}, metadata=sent_by(scope)).usage
    assert (usage.input, usage.output, usage.cost) == (None, None, None)


def test_counts_among_the_attributes_are_numbers_again() -> None:
    name = {"gen_ai.usage.input_tokens": "12", "gen_ai.usage.output_tokens": "3"}
    usage = facts(usageDetails={"input": 99}, metadata=sent_by("ai.koog", **name)).usage
    assert (usage.input, usage.output) == (12, 3)


def read(path: Path) -> tuple[int, list[str], list[str]]:
    """Spans, faults and notices."""
    faults: list[InputError] = []
    said: list[str] = []
    count = sum(part.count for part in parts_of(path, faults.append, said.append))
    return count, [str(fault).removeprefix(str(path)) for fault in faults], said


def test_traces_are_read_in_each_shape(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    pair = {"trace": TRACE, "observations": [observation()]}
    of_the_api = TRACE | {"observations": [observation()], "scores": [{"value": 1}]}
    path.write_text(json.dumps([pair, of_the_api]))
    assert read(path) == (2, [], [f"{path}: scores left out (1)."])
    path.write_text(json.dumps(pair) + "\n" + json.dumps(of_the_api))
    assert read(path)[0] == 2


def test_what_is_wrong_is_named_and_the_other_traces_are_read(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    wrong: list[Any] = [
        1,
        {"trace": TRACE},
        {"observations": []},
        {"observations": [observation(), observation(id=None)]},
        {"observations": [observation(startTime="yesterday")]},
        {"observations": [7]},
    ]
    path.write_text(json.dumps([*wrong, {"observations": [observation()]}]))
    count, faults, _ = read(path)
    none = "This is no trace of Langfuse: it has no list of observations."
    assert count == 1
    assert faults == [
        f", line 1, trace 1: {none}",
        f", line 1, trace 2: {none}",
        ", line 1, trace 3: The trace has no observations.",
        ", line 1, trace 4: Observation 2 has no id.",
        ", line 1, trace 5: Observation 1: startTime is no time.",
        ", line 1, trace 6: Observation 1 is not an object.",
    ]
