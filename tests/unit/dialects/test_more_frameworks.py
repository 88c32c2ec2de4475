"""Logfire's first events, LiveKit, Genkit, MCP, and older names of the AI SDK."""

from typing import Any

import orjson
import pytest

from app.models.spans import SpanKind
from tests.unit.dialects.spans import read

HI, HELLO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def text(value: Any) -> str:  # a JSON value
    return orjson.dumps(value).decode()


@pytest.mark.parametrize("name", ["events", "all_messages_events"])
def test_events_of_logfire_are_messages(name: str) -> None:
    events = [
        HI | {"event.name": "gen_ai.user.message", "gen_ai.message.index": 0},
        {"event.name": "gen_ai.choice", "index": 0, "message": HELLO},
    ]
    facts = read({"gen_ai.operation.name": "chat", name: text(events)})
    assert (facts.input, facts.output) == ([HI], [HELLO])


def test_livekit_model_and_tool() -> None:
    model = read(
        {
            "lk.chat_ctx": text({"items": [], "messages": [HI]}),
            "lk.response.text": "Hello",
            "gen_ai.request.model": "gpt-5-mini",
        },
        name="llm_node",
    )
    assert (model.kind, model.input, model.output) == (SpanKind.LLM, [HI], [HELLO])
    tool = read(
        {
            "lk.function_tool.id": "c1",
            "lk.function_tool.name": "search",
            "lk.function_tool.arguments": '{"q":"x"}',
            "lk.function_tool.output": "found",
        },
        name="function_tool",
    )
    assert (tool.kind, tool.tool_name, tool.tool_call_id) == (SpanKind.TOOL, "search", "c1")
    assert (tool.input, tool.output) == ({"q": "x"}, "found")


def test_genkit_model_and_tool() -> None:
    said = {"message": {"role": "model", "content": [{"text": "Hello"}]}}
    model = read(
        {
            "genkit:type": "action",
            "genkit:metadata:subtype": "model",
            "genkit:name": "googleai/gemini-2.5-flash",
            "genkit:input": text({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}),
            "genkit:output": text(said | {"usage": {"inputTokens": 0, "outputTokens": 7}}),
        }
    )
    assert (model.kind, model.model_name) == (SpanKind.LLM, "gemini-2.5-flash")
    assert (model.input, model.output) == ([HI], [HELLO])
    assert (model.usage.input, model.usage.output) == (0, 7)
    tool = read({"genkit:metadata:subtype": "tool", "genkit:name": "search"})
    assert (tool.kind, tool.tool_name) == (SpanKind.TOOL, "search")
    assert read({"genkit:type": "flow"}).kind is SpanKind.CHAIN


def test_call_over_mcp_is_a_step_of_a_tool() -> None:
    facts = read(
        {
            "mcp.method.name": "tools/call",
            "mcp.session.id": "m1",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.call.arguments": '{"q":"x"}',
        }
    )
    assert (facts.kind, facts.tool_name, facts.session_id) == (SpanKind.TOOL, "search", "m1")


def test_older_names_of_the_ai_sdk() -> None:
    facts = read({"ai.operationId": "ai.generateText.doGenerate", "ai.result.text": "Hello"})
    assert facts.output == [HELLO]
    made = read({"ai.operationId": "ai.streamObject.doStream", "ai.result.object": '{"a":1}'})
    assert made.output == [{"role": "assistant", "content": '{"a":1}'}]


def test_langfuse_trace_is_told_by_its_root() -> None:
    facts = read({"langfuse.trace.input": '{"q":"x"}', "langfuse.trace.output": "done"})
    assert (facts.input, facts.output) == ({"q": "x"}, "done")
