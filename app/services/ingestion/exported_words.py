"""What our columns hold of a step, in OpenTelemetry's words: for steps that came without its own.

Source: open-telemetry/semantic-conventions-genai; OpenInference's ``input.value`` where it has no
word.
"""

from typing import Any

import orjson

from app.models import Execution, Span, SpanBody
from app.models.spans import SpanKind
from app.services.conversation import messages_of, text_of
from app.services.ingestion.wire import Attributes, WireEvent

Json = dict[str, Any]
OPERATIONS = {
    SpanKind.LLM: "chat",
    SpanKind.EMBEDDING: "embeddings",
    SpanKind.TOOL: "execute_tool",
    SpanKind.AGENT: "invoke_agent",
    SpanKind.RETRIEVER: "retrieval",
}
COUNTS = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
}
TOOL_WORDS = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages")
VALUES = ("input.value", "output.value")
SPEAKERS = ("user", "assistant")


def as_text(value: Any) -> str:  # any JSON value
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def call_part(call: Json) -> Json:
    named = call.get("function")
    function = named if isinstance(named, dict) else {}
    arguments = function.get("arguments")
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": arguments,
    }


def parts_of(message: Json) -> list[Json]:
    """What a chat message of OpenAI's says, in the parts of the conventions."""
    content = message.get("content")
    if message["role"] == "tool":
        answer = {"id": message.get("tool_call_id"), "response": content}
        return [{"type": "tool_call_response", **answer}]
    thought = message.get("reasoning_content")
    parts = [{"type": "reasoning", "content": thought}] if thought else []
    if content not in (None, "", []):
        parts.append({"type": "text", "content": text_of(content)})
    calls = message.get("tool_calls")
    listed = calls if isinstance(calls, list) else []
    return parts + [call_part(call) for call in listed if isinstance(call, dict)]


def in_parts(value: Any, speaker: str) -> list[Json]:  # any JSON value
    """Messages as ``gen_ai.input.messages`` has them."""
    return [{"role": m["role"], "parts": parts_of(m)} for m in messages_of(value, speaker)]


def words_of(kind: SpanKind, given: Any, said: Any) -> Attributes:  # any JSON values
    """What a step was given and what it gave."""
    found: Attributes = {}
    names = {SpanKind.LLM: MESSAGES, SpanKind.AGENT: MESSAGES, SpanKind.TOOL: TOOL_WORDS}
    used = names.get(kind, VALUES)
    for name, value, speaker in zip(used, (given, said), SPEAKERS, strict=True):
        if value is not None:
            found[name] = as_text(in_parts(value, speaker) if used is MESSAGES else value)
    return found


def attributes_of(execution: Execution, span: Span, body: SpanBody | None) -> Attributes:
    """Made from our columns; what was reported as attributes stands as it is."""
    kind = span.kind
    found: Attributes = {
        "gen_ai.operation.name": OPERATIONS.get(kind),
        "openinference.span.kind": "CHAIN" if kind is SpanKind.CHAIN else None,
        "gen_ai.request.model": span.model_name,
        "gen_ai.provider.name": span.provider_name,
        "gen_ai.tool.name": span.tool_name,
        "gen_ai.usage.cost": None if span.cost is None else float(span.cost),
        **{name: getattr(span, column) for name, column in COUNTS.items()},
    }
    if span.parent_span_id is None:
        found["gen_ai.agent.name"] = execution.agent.name
        found["gen_ai.conversation.id"] = execution.session_id
        found["tag.tags"] = execution.tags or None
        found["error.type"] = execution.error_type
    if body is not None:
        found |= words_of(kind, body.input, body.output) | (body.attributes or {})
    return {name: value for name, value in found.items() if value is not None}


def event_of(told: Json, start_ns: int) -> WireEvent:
    """Events are free in form over the JSON API; those of OpenTelemetry have all three."""
    time_ns, attributes = told.get("time_ns"), told.get("attributes")
    return WireEvent(
        name=str(told.get("name") or "event"),
        time_ns=time_ns if isinstance(time_ns, int) and time_ns >= 0 else start_ns,
        attributes=attributes if isinstance(attributes, dict) else {},
    )
