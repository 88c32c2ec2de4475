"""MLflow's tracing: every value is written as JSON, plain text too."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.usage import cost_facts, usage_facts

KINDS = {
    "llm": SpanKind.LLM,
    "chat_model": SpanKind.LLM,
    "chain": SpanKind.CHAIN,
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "parser": SpanKind.CHAIN,
    "evaluator": SpanKind.CHAIN,
    "guardrail": SpanKind.CHAIN,
    "memory": SpanKind.OTHER,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
    "retriever": SpanKind.RETRIEVER,
    "reranker": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
    "unknown": SpanKind.OTHER,
}


def derive(seen: Seen) -> Mapping[str, Any]:
    facts = usage_facts(seen.value("mlflow.chat.tokenUsage"))
    facts |= cost_facts(seen.value("mlflow.llm.cost"))
    if seen.value("mlflow.spanType") in ("TOOL", '"TOOL"'):
        named = seen.value("mlflow.spanFunctionName")
        facts["tool_name"] = named.strip('"') if type(named) is str else seen.span_name
    return facts


MLFLOW = Dialect(
    name="mlflow",
    prefixes=("mlflow.",),
    kinds={"mlflow.spanType": KINDS},
    fields={
        "session_id": ("mlflow.trace.session",),
        "end_user": ("mlflow.trace.user",),
        "provider": ("mlflow.llm.provider",),
        "model_answered": ("mlflow.llm.model",),
    },
    inputs=("mlflow.spanInputs",),
    outputs=("mlflow.spanOutputs",),
    derive=derive,
)
