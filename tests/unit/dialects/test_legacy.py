"""The conventions up to 1.36, OpenLLMetry and Koog."""

from typing import Any

import orjson
import pytest

from app.models.spans import SpanKind
from tests.unit.dialects.spans import event, read

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.system": "az.ai.openai"}


def text(value: Any) -> str:  # a JSON value
    return orjson.dumps(value).decode()


def test_numbered_prompts_and_completions() -> None:
    facts = read(
        CHAT
        | {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": text([{"type": "text", "text": "Weather?"}]),
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "c1",
            "gen_ai.prompt.2.tool_calls.0.name": "weather",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"city":"Paris"}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.content": "rainy",
            "gen_ai.prompt.3.tool_call_id": "c1",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "It rains.",
            "gen_ai.completion.0.finish_reason": "stop",
        }
    )
    assert facts.provider == "azure"
    assert facts.input == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        CALLING,
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert facts.output == [{"role": "assistant", "content": "It rains."}]


def test_calls_as_the_words_of_a_tool_are_calls_of_the_model() -> None:
    facts = read(
        CHAT
        | {
            "gen_ai.prompt.0.role": "tool",
            "gen_ai.prompt.0.content": text([CALL]),
            "gen_ai.prompt.1.role": "tool",
            "gen_ai.prompt.1.content": "rainy",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": text([CALL]),
        }
    )
    assert facts.input == [CALLING, {"role": "tool", "content": "rainy", "tool_call_id": "c1"}]
    assert facts.output == [CALLING]


def test_messages_as_one_json_text() -> None:
    facts = read(
        CHAT
        | {
            "gen_ai.prompt": text([{"role": "user", "content": "Hi"}]),
            "gen_ai.completion": text({"text": "Hello", "finish_reason": "stop"}),
        }
    )
    assert facts.input == [{"role": "user", "content": "Hi"}]
    assert facts.output == [{"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize("wrap", [text, lambda value: value], ids=["json", "structured"])
def test_events_of_messages(wrap: Any) -> None:
    facts = read(
        CHAT,
        events=(
            event("gen_ai.system.message", content="Be brief."),
            event("gen_ai.user.message", content="Weather?"),
            event("gen_ai.assistant.message", tool_calls=wrap([CALL])),
            event("gen_ai.tool.message", content="rainy", id="c1"),
            event("gen_ai.choice", index=0, message=wrap({"content": "It rains."})),
        ),
    )
    assert facts.input == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        CALLING,
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert facts.output == [{"role": "assistant", "content": "It rains."}]


def test_events_of_content() -> None:
    prompt = event("gen_ai.content.prompt", **{"gen_ai.prompt": text([{"role": "user"}])})
    answer = event("gen_ai.content.completion", **{"gen_ai.completion": text([{"role": "ai"}])})
    facts = read(CHAT, events=(prompt, answer))
    assert facts.input == [{"role": "user", "content": ""}]
    assert facts.output == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize(
    ("name", "value", "fact"),
    [
        ("prompt_tokens", 7, "input"),
        ("completion_tokens", 8, "output"),
        ("cache_read_input_tokens", 3, "cached"),
        ("cache_read_tokens", 3, "cached"),
        ("input_cached_tokens", 0, "cached"),
        ("cache_creation_input_tokens", 2, "cache_write"),
        ("cache_write_tokens", 2, "cache_write"),
        ("reasoning_tokens", 4, "reasoning"),
    ],
)
def test_old_names_of_usage(name: str, value: int, fact: str) -> None:
    assert getattr(read({f"gen_ai.usage.{name}": value}).usage, fact) == value


def test_new_names_go_before_old_ones() -> None:
    both = {"gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 0}
    assert read(both).usage.input == 0


@pytest.mark.parametrize(
    ("sent", "kind", "agent", "tool"),
    [
        ("workflow", SpanKind.CHAIN, "plan_trip", None),
        ("task", SpanKind.CHAIN, None, None),
        ("agent", SpanKind.AGENT, "plan_trip", None),
        ("tool", SpanKind.TOOL, None, "plan_trip"),
    ],
)
def test_entities_of_openllmetry(
    sent: str, kind: SpanKind, agent: str | None, tool: str | None
) -> None:
    facts = read(
        {
            "traceloop.span.kind": sent,
            "traceloop.entity.name": "plan_trip",
            "traceloop.entity.input": '{"to": "Lisbon"}',
            "traceloop.entity.output": '"booked"',
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.user_id": "u1",
        }
    )
    assert (facts.kind, facts.agent.name, facts.tool_name) == (kind, agent, tool)
    assert (facts.input, facts.output) == ({"to": "Lisbon"}, "booked")
    assert (facts.session_id, facts.end_user) == ("s1", "u1")


def test_request_type_says_the_kind_of_a_model_step() -> None:
    assert read({"llm.request.type": "chat"}).kind is SpanKind.LLM
    assert read({"llm.request.type": "embedding"}).kind is SpanKind.EMBEDDING


def test_nodes_of_koog_are_links_of_a_chain() -> None:
    assert read({"koog.node.name": "nodeCallLLM"}).kind is SpanKind.CHAIN


def test_events_of_strands_hold_the_blocks_of_bedrock() -> None:
    used = {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Paris"}}}
    result = {"toolUseId": "c1", "status": "success", "content": [{"text": "rainy"}]}
    thought = {"reasoningContent": {"reasoningText": {"text": "A tool knows."}}}
    facts = read(
        CHAT,
        events=(
            event("gen_ai.user.message", content=text([{"text": "Weather?"}])),
            event("gen_ai.assistant.message", content=text([used])),
            event("gen_ai.tool.message", content=text([{"toolResult": result}])),
            event("gen_ai.choice", finish_reason="tool_use", message=text([thought, used])),
        ),
    )
    assert facts.input == [
        {"role": "user", "content": "Weather?"},
        CALLING,
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert facts.output == [CALLING | {"reasoning_content": "A tool knows."}]
