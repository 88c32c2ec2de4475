"""Dialects of frameworks and of other back offices."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from app.models.spans import SpanKind
from tests.unit.dialects.spans import read

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}
HI, HELLO = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def text(value: Any) -> str:  # a JSON value
    return orjson.dumps(value).decode()


def test_ai_sdk_tells_text_thoughts_and_calls_apart() -> None:
    called = {"toolCallId": "c1", "toolName": "weather", "input": {"city": "Paris"}}
    part = {"type": "tool-result", "toolCallId": "c1", "toolName": "weather"}
    answer = part | {"output": {"type": "json", "value": {"sky": "grey"}}}
    facts = read(
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-sonnet-4-5",
            "ai.prompt.messages": text(
                [
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                    {"role": "assistant", "content": [{"type": "tool-call", **called}]},
                    {"role": "tool", "content": [answer]},
                ]
            ),
            "ai.response.text": "Let me look.",
            "ai.response.reasoning": "A tool knows.",
            "ai.response.toolCalls": text([called]),
            "ai.usage.inputTokens": 10,
            "ai.usage.outputTokens": 20,
            "ai.usage.cachedInputTokens": 0,
            "ai.usage.reasoningTokens": 5,
            "ai.telemetry.metadata.sessionId": "s1",
            "ai.telemetry.metadata.userId": "u1",
        }
    )
    assert (facts.kind, facts.provider) == (SpanKind.LLM, "anthropic")
    told = {"role": "tool", "content": '{"sky":"grey"}', "name": "weather", "tool_call_id": "c1"}
    assert facts.input == [HI, CALLING, told]
    spoken = {"content": "Let me look.", "reasoning_content": "A tool knows."}
    assert facts.output == [CALLING | spoken]
    usage = facts.usage
    assert (usage.input, usage.output, usage.cached, usage.reasoning) == (10, 20, 0, 5)
    assert (facts.session_id, facts.end_user) == ("s1", "u1")


def test_ai_sdk_tool_call() -> None:
    facts = read(
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "weather",
            "ai.toolCall.id": "c1",
            "ai.toolCall.args": '{"city":"Paris"}',
            "ai.toolCall.result": '"rainy"',
        }
    )
    assert (facts.kind, facts.tool_name, facts.tool_call_id) == (SpanKind.TOOL, "weather", "c1")
    assert (facts.input, facts.output) == ({"city": "Paris"}, "rainy")


def test_langfuse_generation() -> None:
    facts = read(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-5",
            "langfuse.observation.input": text([HI]),
            "langfuse.observation.output": "Hello",
            "langfuse.observation.usage_details": '{"input":10,"output":0,"input_cached_tokens":4}',
            "langfuse.observation.cost_details": '{"input":0.1,"output":0.2}',
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "It broke.",
            "langfuse.session.id": "s1",
            "langfuse.user.id": "u1",
            "langfuse.environment": "staging",
            "langfuse.release": "v7",
            "langfuse.trace.tags": ["a"],
        }
    )
    assert (facts.kind, facts.model_name) == (SpanKind.LLM, "gpt-5")
    assert (facts.input, facts.output) == ([HI], [HELLO])
    usage = facts.usage
    assert (usage.input, usage.output, usage.cached, usage.cost) == (10, 0, 4, Decimal("0.3"))
    assert (facts.error, facts.failed) == ("It broke.", True)
    assert (facts.session_id, facts.end_user, facts.tags) == ("s1", "u1", ["a"])
    assert (facts.environment, facts.release) == ("staging", "v7")


def test_langfuse_tool_is_named_by_its_step() -> None:
    facts = read({"langfuse.observation.type": "tool"}, name="search")
    assert (facts.kind, facts.tool_name) == (SpanKind.TOOL, "search")


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ('"CHAT_MODEL"', SpanKind.LLM),
        ("LLM", SpanKind.LLM),
        ('"AGENT"', SpanKind.AGENT),
        ('"TOOL"', SpanKind.TOOL),
        ('"RETRIEVER"', SpanKind.RETRIEVER),
        ('"UNKNOWN"', SpanKind.OTHER),
    ],
)
def test_mlflow_kinds(sent: str, kind: SpanKind) -> None:
    assert read({"mlflow.spanType": sent}).kind is kind


def test_mlflow_chat() -> None:
    facts = read(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": text({"model": "gpt-5", "messages": [HI]}),
            "mlflow.spanOutputs": text({"choices": [{"message": HELLO}]}),
            "mlflow.chat.tokenUsage": '{"input_tokens":0,"output_tokens":5,"total_tokens":5}',
            "mlflow.trace.session": '"s1"',
        }
    )
    assert (facts.input, facts.output) == ([HI], [HELLO])
    assert (facts.usage.input, facts.usage.output, facts.session_id) == (0, 5, "s1")


def test_mlflow_tool_is_named_by_its_function() -> None:
    facts = read({"mlflow.spanType": '"TOOL"', "mlflow.spanFunctionName": '"search"'}, name="s_1")
    assert facts.tool_name == "search"


def test_langsmith_tells_langchain_messages() -> None:
    human = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"]}
    answer = {"type": "ai", "content": "", "tool_calls": [{"name": "weather", "id": "c1"}]}
    answer["tool_calls"][0] |= {"args": {"city": "Paris"}, "type": "tool_call"}  # type: ignore[index,operator]  # a list of calls
    facts = read(
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.metadata.ls_model_name": "gpt-5",
            "langsmith.metadata.thread_id": "t1",
            "gen_ai.operation.name": "something_else",
            "gen_ai.system": "langchain",
            "gen_ai.prompt": text({"messages": [[human | {"kwargs": {"content": "Hi"}}]]}),
            "gen_ai.completion": text({"generations": [[{"message": answer}]]}),
        }
    )
    assert (facts.kind, facts.provider, facts.model_name) == (SpanKind.LLM, "openai", "gpt-5")
    assert (facts.input, facts.output, facts.session_id) == ([HI], [CALLING], "t1")


def test_google_adk_tells_requests_of_gemini() -> None:
    call = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}}
    answer = {"functionResponse": {"name": "weather", "response": {"sky": "grey"}}}
    request = {
        "model": "gemini-2.5-flash",
        "config": {"system_instruction": "Be brief."},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Hm.", "thought": True}, call]},
            {"role": "user", "parts": [answer]},
        ],
    }
    facts = read(
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.operation.name": "generate_content",
            "gen_ai.request.model": "projects/p/publishers/google/models/gemini-2.5-pro",
            "gcp.vertex.agent.session_id": "s1",
            "gcp.vertex.agent.llm_request": text(request),
            "gcp.vertex.agent.llm_response": text({"content": {"parts": [{"text": "Hello"}]}}),
        }
    )
    function = {"name": "weather", "arguments": '{"city":"Paris"}'}
    called = {"role": "assistant", "content": None, "reasoning_content": "Hm."}
    assert (facts.provider, facts.model_name) == ("google", "gemini-2.5-pro")
    assert facts.input == [
        {"role": "system", "content": "Be brief."},
        HI,
        called | {"tool_calls": [{"type": "function", "function": function}]},
        {"role": "tool", "content": '{"sky":"grey"}', "name": "weather"},
    ]
    assert (facts.output, facts.session_id) == ([HELLO], "s1")


def test_google_adk_tool() -> None:
    facts = read(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gcp.vertex.agent.llm_request": "{}",
            "gcp.vertex.agent.tool_call_args": '{"city":"Paris"}',
            "gcp.vertex.agent.tool_response": '{"sky":"grey"}',
        }
    )
    assert (facts.input, facts.output) == ({"city": "Paris"}, {"sky": "grey"})


def test_pydantic_ai_run_tells_its_last_words() -> None:
    said = [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]},
    ]
    facts = read(
        {
            "agent_name": "greeter",
            "model_name": "gpt-5",
            "gen_ai.usage.input_tokens": 10,
            "pydantic_ai.all_messages": text(said),
            "final_result": "Hello",
        },
        name="greeter run",
    )
    assert (facts.kind, facts.agent.name) == (SpanKind.AGENT, "greeter")
    assert (facts.input, facts.output) == ([HI], [HELLO])


def test_pydantic_ai_tool() -> None:
    facts = read(
        {
            "gen_ai.tool.name": "weather",
            "tool_arguments": '{"city":"Paris"}',
            "tool_response": "rainy",
        },
        name="running tool: weather",
    )
    assert (facts.kind, facts.tool_name) == (SpanKind.TOOL, "weather")
    assert (facts.input, facts.output) == ({"city": "Paris"}, "rainy")


def test_responses_of_openai_and_blocks_of_anthropic_are_read_anywhere() -> None:
    item = {"type": "function_call", "call_id": "c1", "name": "weather"}
    asked = {"input": [HI, item | {"arguments": '{"city":"Paris"}'}], "instructions": "Be brief."}
    blocks = [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}},
    ]
    facts = read(
        {
            "openinference.span.kind": "LLM",
            "input.value": text(asked),
            "output.value": text({"role": "assistant", "content": blocks}),
        }
    )
    assert facts.input == [{"role": "system", "content": "Be brief."}, HI, CALLING]
    assert facts.output == [CALLING | {"reasoning_content": "Hm."}]


def test_bare_names_are_the_last_resort() -> None:
    bare = {"input_tokens": 1, "output_tokens": 2, "input": "in", "output": "out"}
    facts = read(bare | {"gen_ai.usage.output_tokens": 0})
    assert (facts.usage.input, facts.usage.output) == (1, 0)
    assert (facts.input, facts.output) == ("in", "out")
