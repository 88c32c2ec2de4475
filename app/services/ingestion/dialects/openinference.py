"""OpenInference, of Arize Phoenix and many instrumentations.

Source: Arize-ai/openinference, spec/semantic_conventions.md.
"""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen, listed
from app.services.ingestion.dialects.evaluations import FAMILIES
from app.services.ingestion.dialects.langgraph import added, agent_in, answered
from app.services.ingestion.dialects.messages import Conversation, messages_from, said_by
from app.services.ingestion.dialects.parts import Message
from app.services.ingestion.dialects.values import name

KINDS = {
    "llm": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "chain": SpanKind.CHAIN,
    "retriever": SpanKind.RETRIEVER,
    "reranker": SpanKind.RETRIEVER,
    "tool": SpanKind.TOOL,
    "agent": SpanKind.AGENT,
    "guardrail": SpanKind.CHAIN,
    "evaluator": SpanKind.CHAIN,
    "prompt": SpanKind.CHAIN,
    "unknown": SpanKind.OTHER,
}
GIVEN, SAID = "llm.input_messages.", "llm.output_messages."
PROMPTS, CHOICES = "llm.prompts.", "llm.choices."


def given(seen: Seen) -> Conversation | None:
    """LangChain's instrumentation numbers messages of a state without their words."""
    found = numbered(seen, GIVEN, "user")
    is_told = found is None or any(len(message) > 2 or message["content"] for message in found)
    return found if is_told or seen.value("input.value") is None else None


def said(seen: Seen) -> Conversation | None:
    return numbered(seen, SAID, "assistant")


def prompted(seen: Seen) -> Conversation | None:
    """Completions of plain text: prompts as one list, or numbered."""
    value = seen.value("llm.prompts")
    texts = value if type(value) is list else texts_in(seen, PROMPTS, "prompt")
    return Conversation(said_by("user", text) for text in texts if type(text) is str) or None


def completed(seen: Seen) -> Conversation | None:
    texts = texts_in(seen, CHOICES, "completion")
    return Conversation(said_by("assistant", text) for text in texts if type(text) is str) or None


def texts_in(seen: Seen, family: str, name: str) -> list[Any]:
    if family not in seen.families:
        return []
    nodes = [node.get(name) for node in listed(seen.tree(family)) if type(node) is dict]
    return [node.get("text") for node in nodes if type(node) is dict]


def numbered(seen: Seen, family: str, role: str) -> Conversation | None:
    if family not in seen.families:
        return None
    found = Conversation()
    for node in listed(seen.tree(family)):
        if type(node) is dict:
            inner = node.get("message")
            found += messages_from(message_from(inner if type(inner) is dict else node), role)
    return found or None


def message_from(node: Message) -> Message:
    """One numbered message with lists where it has numbers."""
    message: Message = {key: value for key, value in node.items() if type(value) is not dict}
    contents = [part_from(item) for item in listed(node.get("contents"))]
    if contents:
        message["content"] = contents
    calls = [call for item in listed(node.get("tool_calls")) if (call := call_from(item))]
    if calls:
        message["tool_calls"] = calls
    if "function_call_name" in node:
        arguments = node.get("function_call_arguments_json")
        message["function_call"] = {"name": node["function_call_name"], "arguments": arguments}
    return message


def call_from(item: Any) -> Any:  # a node of a tree
    return item.get("tool_call", item) if type(item) is dict else None


def part_from(item: Any) -> Any:  # a node of a tree
    inner = item.get("message_content", item) if type(item) is dict else item
    if type(inner) is not dict:
        return inner
    image = inner.get("image")
    if type(image) is dict:
        source = image.get("image", image)
        url = source.get("url") if type(source) is dict else source
        return {"type": "image_url", "image_url": {"url": url}}
    return inner


def derive(seen: Seen) -> Mapping[str, Any]:
    """An agent that is only a node of a graph is named as that."""
    kind = seen.value("openinference.span.kind")
    if kind in ("AGENT", "CHAIN") and (of_graph := agent_in(seen)):
        return of_graph
    if kind != "AGENT":
        return {}
    return {
        "agent_name": name(seen.value("graph.node.name")) or name(seen.value("graph.node.id")),
    }


OPENINFERENCE = Dialect(
    name="openinference",
    prefixes=("openinference.", "llm.", "input.", "output.", "embedding.", "tool.", "graph."),
    kinds={"openinference.span.kind": KINDS},
    fields={
        "agent_name": ("agent.name",),
        "session_id": ("session.id",),
        "end_user": ("user.id",),
        "provider": ("llm.provider", "llm.system"),
        "model_answered": ("llm.response.model_name",),
        "model_asked": ("llm.request.model_name", "llm.model_name", "embedding.model_name"),
        "input_tokens": ("llm.token_count.prompt",),
        "output_tokens": ("llm.token_count.completion",),
        "total_tokens": ("llm.token_count.total",),
        "cached": ("llm.token_count.prompt_details.cache_read",),
        "cache_write": ("llm.token_count.prompt_details.cache_write",),
        "reasoning": ("llm.token_count.completion_details.reasoning",),
        "cost": ("llm.cost.total",),
        "tool_name": ("tool.name",),
        "tool_call_id": ("tool.id", "tool_call.id"),
        "tags": ("tag.tags",),
    },
    families=(GIVEN, SAID, PROMPTS, CHOICES, *FAMILIES),
    inputs=(given, "llm.input_messages", prompted, "input.value", "tool.parameters"),
    outputs=(said, "llm.output_messages", completed, answered, added, "output.value"),
    derive=derive,
)
