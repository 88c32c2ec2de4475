"""Whatever a span holds, reading it ends, raises nothing, and gives what PostgreSQL can keep."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.spans import SpanStatus
from app.services.ingestion.dialects import attributes_at_the_door
from app.services.ingestion.dialects.register import NAMES, REGISTER
from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.wire import WireEvent
from tests.unit.dialects.spans import read

MAX_DEPTH = 70  # 64, and the attribute and the list that it is in


def known_names() -> list[str]:
    """Every name that any dialect knows, and some of every family."""
    names = {name for name in NAMES._uses if name}
    for dialect in REGISTER:
        names |= {s for s in (*dialect.inputs, *dialect.outputs) if isinstance(s, str)}
        for family in dialect.families:
            tails = ("0.role", "0.content", "1.message.role", "0.message.tool_calls.0.tool_call")
            names |= {f"{family}{tail}" for tail in (*tails, "0", "999999999999.role", "x.y", "")}
            names |= {f"{family}0.message.contents.0.message_content", f"{family}0.tool_calls.0.id"}
    return sorted(names | EXTRA)


EXTRA = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "mlflow.chat.tokenUsage",
    "ai.response.toolCalls",
    "ai.response.text",
    "anything",
}
TEXTS = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["", "\0", "\ud800", "[", "{", "null", "NaN", "[NaN]", '{"a":1e999}', '"\\ud800"', "9" * 5000]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.binary(max_size=8)
    | TEXTS
)
WORDS = st.sampled_from(
    [
        "role",
        "type",
        "content",
        "parts",
        "messages",
        "message",
        "text",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "input",
        "output",
        "prompt",
        "system",
        "choices",
        "candidates",
        "contents",
        "generations",
        "kwargs",
        "lc",
        "data",
        "token",
        "logprob",
        "password",
        "thinking",
        "args",
        "parameters",
        "additional_kwargs",
        "image",
        "image_url",
        "source",
        "file",
        "url",
        "value",
        "function_call",
        "functionResponse",
        "inlineData",
        "model",
        "usage",
        "total",
        "new_message",
        "config",
    ]
)
NAMED = st.sampled_from(
    [
        "system",
        "user",
        "assistant",
        "tool",
        "human",
        "ai",
        "model",
        "constructor",
        "function",
        "function_call",
        "reasoning",
        "function_call_output",
        "tool_use",
        "tool_result",
        "tool-call",
        "tool-result",
        "text",
        "image",
        "blob",
        "uri",
        "file",
        "message",
        "HumanMessage",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | NAMED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | TEXTS, inner, max_size=5),
    max_leaves=12,
)


def as_json(value: Any) -> Any:  # any attribute value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return value


ATTRIBUTES = st.dictionaries(
    st.sampled_from(known_names()) | TEXTS, VALUES | VALUES.map(as_json), max_size=8
)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "exception",
                "gen_ai.evaluation.result",
                "gen_ai.client.inference.operation.details",
                "gen_ai.user.message",
                "gen_ai.choice",
                "gen_ai.content.prompt",
                "\0",
            ]
        ),
        ATTRIBUTES,
    ),
    max_size=3,
)


def assert_storable(value: Any, depth: int = MAX_DEPTH) -> None:  # any JSON value
    assert depth > 0
    if isinstance(value, str):
        assert "\0" not in value
        value.encode()
    elif isinstance(value, dict):
        for key, item in value.items():
            assert_storable(key)
            assert_storable(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            assert_storable(item, depth - 1)
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, int):
        assert value is True or value is False or -(2**63) <= value < 2**64
    else:
        assert value is None


def assert_kept(facts: SpanFacts) -> None:
    for value in (facts.attributes, facts.input, facts.output):
        assert_storable(value)
        orjson.dumps(value)
    texts = [facts.model_name, facts.provider, facts.tool_name, facts.session_id, facts.error_type]
    for text in (*texts, facts.error, facts.end_user, facts.environment, facts.release):
        assert text is None or (0 < len(text) <= 4000 and "\0" not in text and text.encode())
    for message in facts.input if facts.kind == "llm" and isinstance(facts.input, list) else []:
        assert isinstance(message, str | dict | list | int | float | None)


@settings(max_examples=150, deadline=None)
@given(
    ATTRIBUTES, EVENTS, ATTRIBUTES, st.sampled_from(SpanStatus), st.text(st.characters(codec=None))
)
def test_no_span_raises(
    attributes: dict[str, Any],
    events: list[tuple[str, dict[str, Any]]],
    resource: dict[str, Any],
    status: SpanStatus,
    message: str,
) -> None:
    wired = tuple(WireEvent(name, 0, inner) for name, inner in events)
    facts = read(
        attributes,
        events=wired,
        resource=resource,
        status=status,
        status_message=message,
        name=message,
    )
    assert_kept(facts)
    assert_storable(attributes_at_the_door(attributes))


@pytest.mark.parametrize("name", known_names())
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_value_under_a_known_name_raises(name: str, data: st.DataObject) -> None:
    assert_kept(read({name: data.draw(VALUES | VALUES.map(as_json))}))


MARGIN = 1000
HOSTILE = {
    "deep": "[" * 2_000_000 + "]" * 2_000_000,
    "wide": "[" + "0," * 2_000_000 + "0]",
    "objects": '[{"role":"user","content":"x"},' * 130_000,
    "messages": "[" + ",".join(['{"role":"tool","content":"x"}'] * 35_000) + "]",
    "calls": '[{"role":"assistant","tool_calls":['
    + ",".join([f'{{"id":"{n}","function":{{"name":"f"}}}}' for n in range(12_000)])
    + "]}"
    + ',{"role":"tool","content":"x"}' * 12_000
    + "]",
    "escaped": orjson.dumps('\0\\"' * 500_000).decode(),
    "spaces": " " * 4_000_000 + "{",
    "nested texts": "x",
    "secrets": '{"password":[' + "0," * 90_000 + "0]}",
}


def nested_texts() -> str:
    text = '{"a":1}'
    while len(text) < 2_000_000:
        text = orjson.dumps([text]).decode()
    return text


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["gen_ai.input.messages", "input.value", "gen_ai.prompt", "other"])
def test_megabytes_of_hostile_json_grow_no_further(name: str, case: str) -> None:
    text = nested_texts() if case == "nested texts" else HOSTILE[case]
    facts = read({name: text, "openinference.span.kind": "LLM"})
    assert_kept(facts)
    assert len(orjson.dumps(facts.attributes)) <= 2 * len(text) + MARGIN
    assert len(orjson.dumps([facts.input, facts.output])) <= 4 * len(text) + MARGIN


def test_a_huge_number_of_a_message_makes_no_list_of_that_length() -> None:
    names = ("gen_ai.prompt.999999999.role", f"gen_ai.prompt.{'9' * 5000}.role")
    facts = read(
        dict.fromkeys(names, "user") | {"gen_ai.prompt.999999999.content": "hello"}, name="chat x"
    )
    assert_kept(facts)


def test_a_name_with_a_million_dots_is_no_tree_of_that_depth() -> None:
    facts = read({"gen_ai.prompt." + "0." * 1_000_000: "x", "llm.input_messages." + "0." * 9999: 1})
    assert_kept(facts)
