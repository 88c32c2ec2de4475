"""OpenTelemetry's conventions for generative AI: v0.1.0, and 1.37 to 1.41 before it.

Source: open-telemetry/semantic-conventions-genai, docs/gen-ai.
"""

from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.messages import Conversation, with_system

OPERATIONS = {
    "chat": SpanKind.LLM,
    "generate_content": SpanKind.LLM,
    "text_completion": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "responses": SpanKind.LLM,
    "message": SpanKind.LLM,
    "embeddings": SpanKind.EMBEDDING,
    "embedding": SpanKind.EMBEDDING,
    "retrieval": SpanKind.RETRIEVER,
    "create_agent": SpanKind.AGENT,
    "invoke_agent": SpanKind.AGENT,
    "invoke_workflow": SpanKind.AGENT,
    "execute_tool": SpanKind.TOOL,
    "plan": SpanKind.CHAIN,
}
DETAILS = "gen_ai.client.inference.operation.details"


def given(seen: Seen) -> Any:  # messages, or any JSON value
    return told(seen, "gen_ai.input.messages")


def said(seen: Seen) -> Any:  # messages, or any JSON value
    return told(seen, "gen_ai.output.messages")


def told(seen: Seen, name: str) -> Any:  # any JSON value
    """From the event where the span itself has none."""
    value = seen.value(name)
    for event, inner in seen.events if value is None else ():
        if value is None and event.name == DETAILS:
            value = inner.value(name)
    return value


def instructed(seen: Seen, value: Any) -> Any:  # messages, or any JSON value
    """Instructions are an attribute of their own; in a conversation they come first."""
    system = told(seen, "gen_ai.system_instructions")
    if system is None or not (value is None or type(value) is Conversation):
        return value
    return with_system(system, value or [])


GENAI = Dialect(
    name="genai",
    prefixes=("gen_ai.",),
    kinds={"gen_ai.operation.name": OPERATIONS},
    fields={
        "agent_id": ("gen_ai.agent.id",),
        "agent_name": ("gen_ai.agent.name",),
        "agent_version": ("gen_ai.agent.version",),
        "agent_description": ("gen_ai.agent.description",),
        "session_id": ("gen_ai.conversation.id",),
        "environment": ("deployment.environment.name", "deployment.environment"),
        "provider": ("gen_ai.provider.name",),
        "model_answered": ("gen_ai.response.model",),
        "model_asked": ("gen_ai.request.model",),
        "input_tokens": ("gen_ai.usage.input_tokens",),
        "output_tokens": ("gen_ai.usage.output_tokens",),
        "cached": ("gen_ai.usage.cache_read.input_tokens",),
        "cache_write": (
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
        ),
        "reasoning": ("gen_ai.usage.reasoning.output_tokens",),
        "tool_name": ("gen_ai.tool.name",),
        "tool_call_id": ("gen_ai.tool.call.id",),
        "error_type": ("error.type",),
    },
    inputs=(given, "gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text"),
    outputs=(said, "gen_ai.tool.call.result", "gen_ai.retrieval.documents"),
)
