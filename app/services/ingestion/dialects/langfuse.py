"""Langfuse's own SDK, over OpenTelemetry."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.usage import cost_facts, usage_facts
from app.services.ingestion.dialects.values import long_text

KINDS = {
    "span": SpanKind.OTHER,
    "event": SpanKind.OTHER,
    "generation": SpanKind.LLM,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
    "chain": SpanKind.CHAIN,
    "retriever": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
    "evaluator": SpanKind.CHAIN,
    "guardrail": SpanKind.CHAIN,
}


def derive(seen: Seen) -> Mapping[str, Any]:
    facts = usage_facts(seen.value("langfuse.observation.usage_details"))
    facts |= cost_facts(seen.value("langfuse.observation.cost_details"))
    if seen.value("langfuse.observation.level") == "ERROR":
        said = long_text(seen.attributes.get("langfuse.observation.status_message"))
        facts["error"] = said or "ERROR"
    if seen.value("langfuse.observation.type") == "tool":
        facts["tool_name"] = seen.span_name
    return facts


LANGFUSE = Dialect(
    name="langfuse",
    prefixes=("langfuse.",),
    kinds={"langfuse.observation.type": KINDS},
    fields={
        "session_id": ("langfuse.session.id", "langfuse.observation.metadata.thread_id"),
        "provider": ("langfuse.observation.metadata.ls_provider",),
        "end_user": ("langfuse.user.id",),
        "environment": ("langfuse.environment",),
        "release": ("langfuse.release", "langfuse.version"),
        "model_answered": ("langfuse.observation.model.name",),
        "tags": ("langfuse.trace.tags",),
    },
    inputs=("langfuse.observation.input", "langfuse.trace.input"),
    outputs=("langfuse.observation.output", "langfuse.trace.output"),
    derive=derive,
)
