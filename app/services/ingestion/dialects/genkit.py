"""Google's Genkit: actions and flows, what they were given and gave as JSON."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.usage import usage_facts
from app.services.ingestion.dialects.values import name

SUBTYPES = {
    "model": SpanKind.LLM,
    "tool": SpanKind.TOOL,
    "embedder": SpanKind.EMBEDDING,
    "retriever": SpanKind.RETRIEVER,
    "reranker": SpanKind.RETRIEVER,
    "agent": SpanKind.AGENT,
    "flow": SpanKind.CHAIN,
    "prompt": SpanKind.CHAIN,
    "util": SpanKind.CHAIN,
}
TYPES = {"flow": SpanKind.CHAIN, "flowstep": SpanKind.CHAIN, "util": SpanKind.CHAIN}
WORDS = {"inputTokens": "input_tokens", "outputTokens": "output_tokens"}


def derive(seen: Seen) -> Mapping[str, Any]:
    """The name of an action is that of a model or a tool; usage is in what a model gave."""
    called = name(seen.value("genkit:name"))
    kind = seen.value("genkit:metadata:subtype")
    if kind == "tool":
        return {"tool_name": called}
    if kind != "model":
        return {}
    output = seen.value("genkit:output")
    usage = output.get("usage") if type(output) is dict else None
    counted = {WORDS.get(k, k): v for k, v in usage.items()} if type(usage) is dict else None
    asked = called.rpartition("/")[2] if called else None
    return {"model_asked": asked, **usage_facts(counted)}


GENKIT = Dialect(
    name="genkit",
    prefixes=("genkit:",),
    kinds={"genkit:metadata:subtype": SUBTYPES, "genkit:type": TYPES},
    fields={"session_id": ("genkit:sessionId",)},
    inputs=("genkit:input",),
    outputs=("genkit:output",),
    derive=derive,
)
