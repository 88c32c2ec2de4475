"""Pydantic AI instruments itself: what it really sends, in all its versions."""

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings

from app.models.spans import SpanKind
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from tests.unit.dialects.spans import wire

ASKED = {"role": "user", "content": "Weather in Paris?"}
ANSWER = {"role": "assistant", "content": "It rains."}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}


def play(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        call = ToolCallPart("weather", {"city": "Paris"}, tool_call_id="c1")
        return ModelResponse([ThinkingPart("A tool knows."), call])
    return ModelResponse([TextPart("It rains.")])


async def run(version: Any) -> Sequence[ReadableSpan]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = InstrumentationSettings(tracer_provider=provider, version=version)
    agent = Agent(FunctionModel(play), name="forecaster", instructions="Be brief.")
    agent.instrument = settings

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"Rain in {city}."

    await agent.run("Weather in Paris?")
    return exporter.get_finished_spans()


def facts_of(span: ReadableSpan) -> SpanFacts:
    return read_span(wire(dict(span.attributes or {}), name=span.name))


@pytest.mark.filterwarnings("ignore:Instrumentation format versions")
@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
async def test_run_is_told_as_it_was(version: int) -> None:
    facts = [facts_of(span) for span in await run(version)]
    by_kind = {kind: [f for f in facts if f.kind is kind] for kind in SpanKind}
    first, last = by_kind[SpanKind.LLM]
    system = {"role": "system", "content": "Be brief."}
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    thought = called | {"reasoning_content": "A tool knows."}
    assert first.input == [system, ASKED]
    assert first.output == [thought]
    assert [message["role"] for message in last.input] == ["system", "user", "assistant", "tool"]
    assert last.input[-1]["content"] == "Rain in Paris."
    assert last.output == [ANSWER]
    assert all(f.usage.input and f.usage.output for f in (first, last))
    (tool,) = by_kind[SpanKind.TOOL]
    assert (tool.tool_name, tool.tool_call_id) == ("weather", "c1")
    assert (tool.input, tool.output) == ({"city": "Paris"}, "Rain in Paris.")
    (agent,) = by_kind[SpanKind.AGENT]
    assert (agent.agent.name, agent.output) == ("forecaster", [ANSWER])
    assert agent.input[:2] == [system, ASKED]
