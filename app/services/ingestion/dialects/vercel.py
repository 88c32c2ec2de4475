"""The AI SDK of Vercel: ``ai.*``. Its outer spans repeat the usage of the calls below them."""

from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.messages import Conversation, conversation_in, said_by, spoken
from app.services.ingestion.dialects.parts import Said, add_text, call_of

KINDS = {
    "ai.generatetext": SpanKind.CHAIN,
    "ai.streamtext": SpanKind.CHAIN,
    "ai.generateobject": SpanKind.CHAIN,
    "ai.streamobject": SpanKind.CHAIN,
    "ai.generatetext.dogenerate": SpanKind.LLM,
    "ai.streamtext.dostream": SpanKind.LLM,
    "ai.generateobject.dogenerate": SpanKind.LLM,
    "ai.streamobject.dostream": SpanKind.LLM,
    "ai.embed": SpanKind.CHAIN,
    "ai.embedmany": SpanKind.CHAIN,
    "ai.embed.doembed": SpanKind.EMBEDDING,
    "ai.embedmany.doembed": SpanKind.EMBEDDING,
    "ai.rerank": SpanKind.CHAIN,
    "ai.rerank.dorerank": SpanKind.RETRIEVER,
    "ai.toolcall": SpanKind.TOOL,
}


def said(seen: Seen) -> Any:  # messages, or any JSON value
    """Text, thoughts and calls are attributes apart."""
    text = seen.attributes.get("ai.response.text", seen.attributes.get("ai.result.text"))
    calls = first(seen, "ai.response.toolCalls", "ai.result.toolCalls")
    thought = seen.attributes.get("ai.response.reasoning")
    if text is None and calls is None and thought is None:
        return made(seen)
    answer = Said()
    if type(text) is str and text:
        add_text(answer, {"text": text})
    for call in calls if type(calls) is list else ():
        if type(call) is dict:
            answer.calls.append(call_of(call))
    if type(thought) is str and thought:
        answer.reasoning.append(thought)
    return Conversation([spoken("assistant", answer)])


def made(seen: Seen) -> Any:  # messages, or any JSON value
    """An object is what the model said, as JSON."""
    text = seen.attributes.get("ai.response.object", seen.attributes.get("ai.result.object"))
    if seen.kind is SpanKind.LLM and type(text) is str:
        return Conversation([said_by("assistant", text)])
    return first(seen, "ai.response.object", "ai.result.object")


def first(seen: Seen, *names: str) -> Any:  # any JSON value
    """The newest name that is there: before 4.0 they said ``result``."""
    return next((seen.value(name) for name in names if name in seen.attributes), None)


def prompted(seen: Seen) -> Any:  # messages, or any JSON value
    value = seen.value("ai.prompt")
    return Conversation(conversation_in(value, "user") or []) or value


VERCEL = Dialect(
    name="vercel",
    prefixes=("ai.",),
    kinds={"ai.operationId": KINDS},
    fields={
        "agent_name": ("ai.telemetry.functionId",),
        "session_id": (
            "ai.telemetry.metadata.sessionId",
            "ai.telemetry.metadata.threadId",
            "ai.telemetry.metadata.chatId",
        ),
        "end_user": ("ai.telemetry.metadata.userId",),
        "provider": ("ai.model.provider",),
        "model_answered": ("ai.response.model",),
        "model_asked": ("ai.model.id",),
        "input_tokens": ("ai.usage.inputTokens", "ai.usage.promptTokens"),
        "output_tokens": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
        "total_tokens": ("ai.usage.totalTokens", "ai.usage.tokens"),
        "cached": (
            "ai.usage.cachedInputTokens",
            "ai.usage.inputTokenDetails.cacheReadTokens",
        ),
        "cache_write": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
        "reasoning": (
            "ai.usage.reasoningTokens",
            "ai.usage.outputTokenDetails.reasoningTokens",
        ),
        "tool_name": ("ai.toolCall.name",),
        "tool_call_id": ("ai.toolCall.id",),
        "tags": ("ai.telemetry.metadata.tags",),
    },
    inputs=("ai.prompt.messages", prompted, "ai.toolCall.args", "ai.values", "ai.value"),
    outputs=(said, "ai.toolCall.result"),  # vectors stay among the attributes
)
