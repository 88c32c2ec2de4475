"""Published attribute sets of OpenInference's translators: four dialects, one answer."""

import json
from typing import Any

import pytest

from app.core.config import PROJECT_ROOT
from app.models.spans import SpanKind
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from tests.unit.dialects.spans import read, wire

FOLDER = PROJECT_ROOT.parent / "shared" / "data" / "openinference-genai-fixtures"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the published attributes are not here"),
]
CHATS = (
    "openinference_client_span_input_output_only",
    "openinference_client_span_tool_calls",
    "otel_genai_client_span_tool_calls",
    "otel_genai_deprecated_client_span_tool_calls",
)
FUNCTION = {"name": "get_weather", "arguments": '{"location":"Paris"}'}
ASKED = [
    {"role": "user", "content": "Weather in Paris?"},
    {
        "role": "assistant",
        "content": "Absolutely! Let me check the weather for you.",
        "tool_calls": [{"id": "1234", "type": "function", "function": FUNCTION}],
    },
    {"role": "tool", "content": "rainy, 57°F", "tool_call_id": "1234"},
]
ANSWERED = "The weather in Paris is currently rainy with a temperature of 57°F."
VERCEL_KINDS = {
    "ai.generateText": SpanKind.CHAIN,
    "ai.generateObject": SpanKind.CHAIN,
    "ai.streamText": SpanKind.CHAIN,
    "ai.embed": SpanKind.CHAIN,
    "ai.generateText.doGenerate": SpanKind.LLM,
    "ai.generateObject.doGenerate": SpanKind.LLM,
    "ai.streamText.doStream": SpanKind.LLM,
    "ai.embed.doEmbed": SpanKind.EMBEDDING,
}


def attributes(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def vercel() -> list[tuple[dict[str, Any], SpanFacts]]:
    spans = json.loads((FOLDER / "vercel-v6-all-spans.json").read_text())
    return [(span, read_span(wire(span["attributes"], name=span["name"]))) for span in spans]


@pytest.mark.parametrize("name", CHATS)
def test_every_dialect_tells_the_same_chat(name: str) -> None:
    facts = read(attributes(name))
    assert (facts.kind, facts.model_name, facts.provider) == (SpanKind.LLM, "gpt-4-0613", "openai")
    assert (facts.usage.input, facts.usage.output) == (97, 52)
    assert facts.input == ASKED
    assert facts.output == [{"role": "assistant", "content": ANSWERED}]


def test_tool_step_keeps_what_it_was_given_and_gave() -> None:
    facts = read(attributes("otel_genai_tool_execution_span"))
    assert (facts.kind, facts.tool_name) == (SpanKind.TOOL, "get_weather")
    assert (facts.tool_call_id, facts.input) == ("1234", {"city": "New York"})
    assert facts.output["status"] == "success"


def test_ai_sdk_says_kind_model_and_usage_of_each_step() -> None:
    for span, facts in vercel():
        sent = span["attributes"]
        asked = sent.get("ai.usage.inputTokens", sent.get("ai.usage.promptTokens"))
        assert facts.kind is VERCEL_KINDS[span["name"]]
        assert facts.provider == "openai"
        assert facts.model_name == sent.get("ai.response.model", sent["ai.model.id"])
        assert facts.usage.input == (sent["ai.usage.tokens"] if asked is None else asked)
        assert facts.agent.name == sent["ai.telemetry.functionId"]


def test_ai_sdk_tells_conversations() -> None:
    for span, facts in vercel():
        if facts.kind is SpanKind.LLM:
            assert [message["role"] for message in facts.output] == ["assistant"]
            assert {message["role"] for message in facts.input} >= {"user"}
            assert all(isinstance(message["content"], str) for message in facts.input)
        if span["name"] == "ai.generateText":
            assert facts.input[-1]["role"] == "user"
