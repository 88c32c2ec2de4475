"""What the snippets for LangGraph and OpenAI Agents sent, with a tool added, reads as a run.

Recorded with langchain 1.5, langgraph 1.2 and openai-agents 0.24, instrumented by
openinference-instrumentation-langchain 0.1.80 and -openai-agents 2.6; moved to 2025.
"""

from types import SimpleNamespace

import pytest

from app.core.config import PROJECT_ROOT
from app.models.spans import SpanKind
from app.services.conversation import Turn, conversation_of
from app.services.ingestion.claims import agent_in, value_in
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.prepared import prepare
from app.services.ingestion.wire import Decoded, WireSpan

FOLDER = PROJECT_ROOT / "tests" / "otlp" / "recorded"
RECORDED = ("langgraph", "openai-agents")
ASKED = "What is the weather in Paris?"
pytestmark = pytest.mark.parametrize("name", RECORDED)


def sent(name: str) -> Decoded:
    return decode_json((FOLDER / f"{name}.json").read_bytes())


def steps(name: str) -> list[tuple[WireSpan, SpanFacts]]:
    spans = sorted(sent(name).spans, key=lambda span: span.start_ns)
    return [(span, read_span(span)) for span in spans]


def as_stored(span: WireSpan, facts: SpanFacts) -> SimpleNamespace:
    return SimpleNamespace(
        kind=facts.kind,
        name=span.name,
        input=facts.input,
        output=facts.output,
        attributes=facts.attributes,
        tool_name=facts.tool_name,
        status=span.status,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        model_name=facts.model_name,
        input_tokens=facts.usage.input,
        output_tokens=facts.usage.output,
        cost=None,
    )


def test_run_is_the_agents_and_says_what_was_asked_and_answered(name: str) -> None:
    prepared = prepare(sent(name), lambda *_: None)
    [trace] = prepared.traces.values()
    assert agent_in(trace.claims).name == "forecaster", "not the service, which is my-agent"
    assert value_in(trace.claims, "input") == ASKED
    assert value_in(trace.claims, "model_name") == "gpt-4o-2024-08-06"
    assert [message["content"] for message in trace.output] == ["Hello."]


def test_model_steps_have_their_tokens_and_the_tool_its_answer(name: str) -> None:
    facts = [found for _, found in steps(name)]
    usages = [
        (found.usage.input, found.usage.output) for found in facts if found.kind is SpanKind.LLM
    ]
    assert usages == [(12, 34), (12, 34)]
    [tool] = [found for found in facts if found.kind is SpanKind.TOOL]
    assert (tool.tool_name, tool.output) == ("weather", "Rain.")
    assert facts[0].kind is SpanKind.AGENT


def test_conversation_is_told_once(name: str) -> None:
    turns: list[Turn] = conversation_of(as_stored(*step) for step in steps(name))
    assert [(turn.role, turn.text) for turn in turns] == [
        ("system", "Be brief."),
        ("user", ASKED),
        ("assistant", ""),
        ("assistant", "Hello."),
    ]
    [call] = turns[2].calls
    assert (call.name, call.arguments, call.result) == ("weather", {"city": "Paris"}, "Rain.")
