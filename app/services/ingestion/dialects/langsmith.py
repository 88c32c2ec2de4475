"""LangSmith's exporter; what it was given and gave is ``gen_ai.prompt`` and ``.completion``."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.usage import usage_facts

KINDS = {
    "llm": SpanKind.LLM,
    "chat_model": SpanKind.LLM,
    "chain": SpanKind.CHAIN,
    "prompt": SpanKind.CHAIN,
    "parser": SpanKind.CHAIN,
    "tool": SpanKind.TOOL,
    "retriever": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
}


def derive(seen: Seen) -> Mapping[str, Any]:
    facts = usage_facts(seen.value("langsmith.usage_metadata"))
    if seen.value("langsmith.span.kind") == "tool":
        facts["tool_name"] = seen.span_name
    return facts


LANGSMITH = Dialect(
    name="langsmith",
    prefixes=("langsmith.",),
    kinds={"langsmith.span.kind": KINDS},
    fields={
        "session_id": (
            "langsmith.trace.session_id",
            "langsmith.metadata.session_id",
            "langsmith.metadata.thread_id",
            "langsmith.metadata.conversation_id",
        ),
        "end_user": ("langsmith.metadata.user_id",),
        "provider": ("langsmith.metadata.ls_provider",),
        "model_asked": ("langsmith.metadata.ls_model_name",),
        "tags": ("langsmith.span.tags",),
    },
    derive=derive,
)
