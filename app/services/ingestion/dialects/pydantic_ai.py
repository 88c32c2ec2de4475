"""Pydantic AI and Logfire, beside the conventions that they follow."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.messages import Conversation, conversation_in, said_by

ALL = "pydantic_ai.all_messages"


def derive(seen: Seen) -> Mapping[str, Any]:
    """Runs of agents name no operation."""
    if "agent_name" in seen.attributes and seen.span_name.endswith(" run"):
        return {"kind": SpanKind.AGENT}
    return {}


def given(seen: Seen) -> Conversation | None:
    """All that was said before the agent's last words."""
    told = conversation_in(seen.value(ALL), "user")
    if told and told[-1]["role"] == "assistant":
        told = told[:-1]
    return Conversation(told or []) or None


def said(seen: Seen) -> Any:  # messages, or any JSON value
    told = conversation_in(seen.value(ALL), "user")
    if told and told[-1]["role"] == "assistant":
        return Conversation(told[-1:])
    result = seen.value("final_result")
    return Conversation([said_by("assistant", result)]) if type(result) is str else result


PYDANTIC_AI = Dialect(
    name="pydantic_ai",
    prefixes=("pydantic_ai.", "logfire.", "agent_name", "final_result", "tool_", "events"),
    fields={
        "agent_name": ("agent_name",),
        "model_asked": ("model_name",),
    },
    inputs=("tool_arguments", given),
    outputs=("tool_response", said),
    derive=derive,
)
