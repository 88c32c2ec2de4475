"""OpenInference: numbered messages, values and annotations."""

import json

import pytest

from app.models.spans import SpanKind
from app.services.ingestion.facts import Evaluation
from tests.unit.dialects.spans import read

LLM = {"openinference.span.kind": "LLM"}


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("LLM", SpanKind.LLM),
        ("EMBEDDING", SpanKind.EMBEDDING),
        ("CHAIN", SpanKind.CHAIN),
        ("RETRIEVER", SpanKind.RETRIEVER),
        ("RERANKER", SpanKind.RETRIEVER),
        ("TOOL", SpanKind.TOOL),
        ("AGENT", SpanKind.AGENT),
        ("GUARDRAIL", SpanKind.CHAIN),
        ("EVALUATOR", SpanKind.CHAIN),
        ("PROMPT", SpanKind.CHAIN),
    ],
)
def test_span_kind(sent: str, kind: SpanKind) -> None:
    assert read({"openinference.span.kind": sent}).kind is kind


def test_numbered_messages_are_told_in_order() -> None:
    call = "llm.input_messages.10.message.tool_calls.0.tool_call."
    facts = read(
        LLM
        | {
            f"{call}function.name": "weather",
            f"{call}function.arguments": '{"city": "Paris"}',
            f"{call}id": "c1",
            "llm.input_messages.10.message.role": "assistant",
            "llm.input_messages.11.message.role": "tool",
            "llm.input_messages.11.message.content": "rainy",
            "llm.input_messages.2.message.role": "user",
            "llm.input_messages.2.message.contents.0.message_content.type": "text",
            "llm.input_messages.2.message.contents.0.message_content.text": "Look:",
            "llm.input_messages.2.message.contents.1.message_content.type": "image",
            "llm.input_messages.2.message.contents.1.message_content.image.image.url": "https://x",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "It rains.",
        }
    )
    function = {"name": "weather", "arguments": '{"city": "Paris"}'}
    called = {"id": "c1", "type": "function", "function": function}
    image = {"type": "image_url", "image_url": {"url": "https://x"}}
    assert facts.input == [
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "rainy", "tool_call_id": "c1"},
    ]
    assert facts.output == [{"role": "assistant", "content": "It rains."}]


def test_value_of_a_completion_is_read_where_no_message_is_numbered() -> None:
    facts = read(
        LLM
        | {
            "input.value": '{"model":"gpt-4","messages":[{"role":"user","content":"Hi"}]}',
            "output.value": '{"choices":[{"message":{"role":"assistant","content":"Hello"}}]}',
        }
    )
    assert facts.input == [{"role": "user", "content": "Hi"}]
    assert facts.output == [{"role": "assistant", "content": "Hello"}]


def test_plain_text_is_said_by_the_user_and_the_model() -> None:
    facts = read(LLM | {"input.value": "Hi", "output.value": "Hello"})
    assert facts.input == [{"role": "user", "content": "Hi"}]
    assert facts.output == [{"role": "assistant", "content": "Hello"}]


def test_chain_keeps_its_value() -> None:
    value = '{"question":"Why?","choices":[1]}'
    facts = read({"openinference.span.kind": "CHAIN", "input.value": value})
    assert facts.input == {"question": "Why?", "choices": [1]}


def test_tool_step() -> None:
    facts = read(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "search",
            "tool.parameters": '{"q": "x"}',
            "input.value": '{"q": "x"}',
            "output.value": '[{"role": "user"}]',
        }
    )
    assert (facts.kind, facts.tool_name) == (SpanKind.TOOL, "search")
    assert (facts.input, facts.output) == ({"q": "x"}, [{"role": "user"}])


def test_usage_and_cost() -> None:
    facts = read(
        LLM
        | {
            "llm.model_name": "claude-sonnet-4-5",
            "llm.system": "anthropic",
            "llm.token_count.prompt": 30,
            "llm.token_count.completion": 12,
            "llm.token_count.prompt_details.cache_read": 20,
            "llm.token_count.prompt_details.cache_write": 0,
            "llm.token_count.completion_details.reasoning": 5,
            "session.id": "s1",
            "user.id": "u1",
            "tag.tags": ["a", "b"],
        }
    )
    usage = facts.usage
    assert (usage.input, usage.output, usage.cached) == (30, 12, 20)
    assert (usage.cache_write, usage.reasoning, usage.counted_apart) == (0, 5, False)
    assert (facts.model_name, facts.provider) == ("claude-sonnet-4-5", "anthropic")
    assert (facts.session_id, facts.end_user, facts.tags) == ("s1", "u1", ["a", "b"])


def test_a_total_alone_is_input() -> None:
    assert read({"llm.token_count.total": 10}).usage.input == 10
    both = {"llm.token_count.total": 10, "llm.token_count.completion": 4}
    assert read(both).usage.input == 6


def test_annotations_are_scores() -> None:
    facts = read(
        {
            "annotations.0.annotation.name": "quality",
            "annotations.0.annotation.label": "good",
            "annotations.0.annotation.score": 0.9,
            "annotations.0.annotation.explanation": "Clear.",
            "trace.annotations.0.annotation.name": "safe",
            "trace.annotations.0.annotation.score": "1",
        }
    )
    quality = Evaluation("quality", 0.9, "good", "Clear.")
    safe = Evaluation("safe", 1.0, of_run=True)
    assert sorted(facts.evaluations, key=lambda e: e.name) == [quality, safe]


def test_prompts_of_completions_are_said_by_the_user() -> None:
    numbered = {"llm.prompts.0.prompt.text": "Hi", "llm.choices.0.completion.text": "Hello"}
    for sent in ({"llm.prompts": ["Hi"], "output.value": "Hello"}, numbered):
        facts = read(LLM | {"input.value": '{"args": ["Hi"]}'} | sent)
        assert facts.input == [{"role": "user", "content": "Hi"}]
        assert facts.output == [{"role": "assistant", "content": "Hello"}]


def test_state_of_a_graph_is_read_for_its_words() -> None:
    graph = {
        "openinference.span.kind": "CHAIN",
        "llm.input_messages.0.message.role": "user",
        "output.value": '{"messages":[{"role":"user","content":"Hi"}]}',
    }
    asked = {"input.value": '{"messages":[{"role":"user","content":"Hi"}]}'}
    hi = [{"role": "user", "content": "Hi"}]
    assert read(graph | asked).input == hi, "numbered without the words"
    assert read(graph).input == [{"role": "user", "content": ""}]
    assert read(graph).output == hi, "nobody answered"


@pytest.mark.parametrize("value", ["[]", "[{}]", '{"messages": 7}', '{"messages": []}', "[[1]]"])
def test_state_of_another_shape_stays_as_it_is(value: str) -> None:
    facts = read({"openinference.span.kind": "CHAIN", "output.value": value})
    assert facts.output == json.loads(value)
