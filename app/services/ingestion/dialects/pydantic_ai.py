"""Pydantic AI and Logfire, beside the conventions that they follow."""

from collections.abc import Mapping
from typing import Any

from app.models.spans import SpanKind
from app.services.ingestion.dialects.dialect import Dialect, Seen
from app.services.ingestion.dialects.messages import (
    Conversation,
    conversation_in,
    messages_from,
    said_by,
)
from app.services.ingestion.dialects.parts import Message

CHOICE = "gen_ai.choice"
EVENTS = ("events", "all_messages_events")
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


def events_in(seen: Seen) -> list[Message]:
    """Logfire's first version: events of the conventions up to 1.36, as one JSON attribute."""
    value = next((seen.value(name) for name in EVENTS if name in seen.attributes), None)
    events = value if type(value) is list else []
    return [event for event in events if type(event) is dict]


def given_in_events(seen: Seen) -> Conversation | None:
    found = Conversation()
    for event in events_in(seen):
        if event.get("event.name") != CHOICE and type(event.get("role")) is str:
            found += messages_from(event, "user")
    return found or None


def said_in_events(seen: Seen) -> Conversation | None:
    found = Conversation()
    for event in events_in(seen):
        message = event.get("message")
        if event.get("event.name") == CHOICE and type(message) is dict:
            found += messages_from(message, "assistant")
    return found or None


PYDANTIC_AI = Dialect(
    name="pydantic_ai",
    prefixes=("pydantic_ai.", "logfire.", "agent_name", "final_result", "tool_", *EVENTS),
    fields={
        "agent_name": ("agent_name",),
        "model_asked": ("model_name",),
    },
    inputs=("tool_arguments", given, given_in_events),
    outputs=("tool_response", said_in_events, said),
    derive=derive,
)
