"""OpenLLMetry, of Traceloop: workflows, tasks, agents and tools around model calls."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.values import name

KINDS = {
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
}
REQUESTS = {
    "chat": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "rerank": SpanKind.RETRIEVER,
}
ENTITIES = {"agent": "agent_name", "tool": "tool_name", "workflow": "agent_name"}


def derive(seen: Seen) -> Mapping[str, Any]:
    """An entity is named by one attribute, whatever it is."""
    kind = seen.value("traceloop.span.kind")
    fact = ENTITIES.get(kind) if type(kind) is str else None
    return {fact: name(seen.value("traceloop.entity.name"))} if fact else {}


TRACELOOP = Dialect(
    name="traceloop",
    prefixes=("traceloop.", "llm."),
    kinds={"traceloop.span.kind": KINDS, "llm.request.type": REQUESTS},
    fields={
        "agent_name": ("traceloop.workflow.name",),
        "session_id": (
            "traceloop.association.properties.session_id",
            "traceloop.association.properties.thread_id",
        ),
        "end_user": ("traceloop.association.properties.user_id",),
    },
    inputs=("traceloop.entity.input",),
    outputs=("traceloop.entity.output",),
    derive=derive,
)
