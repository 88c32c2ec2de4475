"""LiveKit's voice agents."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen

STEPS = {
    "llm_node": SpanKind.LLM,
    "function_tool": SpanKind.TOOL,
    "agent_turn": SpanKind.AGENT,
    "agent_session": SpanKind.AGENT,
}


def derive(seen: Seen) -> Mapping[str, Any]:
    return {"kind": STEPS.get(seen.span_name)}


LIVEKIT = Dialect(
    name="livekit",
    prefixes=("lk.",),
    fields={
        "tool_name": ("lk.function_tool.name",),
        "tool_call_id": ("lk.function_tool.id",),
        "agent_name": ("lk.agent_label", "lk.agent_name"),
        "session_id": ("lk.room_id",),
    },
    inputs=(
        "lk.pii.function_tool.arguments",
        "lk.function_tool.arguments",
        "lk.pii.chat_ctx",
        "lk.chat_ctx",
        "lk.pii.user_input",
        "lk.user_input",
        "lk.pii.input_text",
        "lk.input_text",
    ),
    outputs=(
        "lk.pii.function_tool.output",
        "lk.function_tool.output",
        "lk.pii.response.text",
        "lk.response.text",
        "lk.pii.user_transcript",
        "lk.user_transcript",
    ),
    derive=derive,
)
