"""The conventions up to 1.36, and what OpenLLMetry and Koog made of them.

Numbered names like ``gen_ai.prompt.0.role``, ``gen_ai.prompt`` as one JSON text, and events
like ``gen_ai.user.message``.
"""

from typing import Any

from app.services.ingestion.dialects.dialect import Dialect, Seen, listed
from app.services.ingestion.dialects.door import NOTHING, parsed
from app.services.ingestion.dialects.messages import Conversation, messages_from
from app.services.ingestion.dialects.parts import Message

GIVEN, SAID = "gen_ai.prompt.", "gen_ai.completion."
CHOICE = "gen_ai.choice"
ROLES_OF_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def given(seen: Seen) -> Conversation | None:
    return numbered(seen, GIVEN, "user")


def said(seen: Seen) -> Conversation | None:
    return numbered(seen, SAID, "assistant")


def numbered(seen: Seen, family: str, role: str) -> Conversation | None:
    if family not in seen.families:
        return None
    found = Conversation()
    for node in listed(seen.tree(family)):
        if type(node) is dict:
            found += messages_from(message_from(node), role)
    return found or None


def message_from(node: Message) -> Message:
    """Lists where there are numbers; content that is JSON of parts or calls is those."""
    message: Message = {key: value for key, value in node.items() if type(value) is not dict}
    calls = [call for call in listed(node.get("tool_calls")) if type(call) is dict]
    content = parts_in(node.get("content"))
    if content and all(part.get("type") == "function" for part in content):
        calls, content = content, None
        # Koog tells the calls of the model as words of the tool.
        message |= {"role": "assistant", "content": None}
    if calls:
        message["tool_calls"] = calls
    return message | {"content": content} if content else message


def parts_in(content: Any) -> list[Message] | None:  # an attribute value
    tree = parsed(content) if type(content) is str else content
    if tree is NOTHING or type(tree) is not list or not tree:
        return None
    typed = all(type(part) is dict and type(part.get("type")) is str for part in tree)
    return tree if typed else None


def given_in_events(seen: Seen) -> Any:  # messages, or any JSON value
    found = Conversation()
    for event, inner in seen.events:
        role = ROLES_OF_EVENTS.get(event.name)
        if role is not None:
            found += messages_from(event_message(inner), role)
        elif event.name == "gen_ai.content.prompt":
            return inner.value("gen_ai.prompt")
    return found or None


def said_in_events(seen: Seen) -> Any:  # messages, or any JSON value
    found = Conversation()
    for event, inner in seen.events:
        if event.name == CHOICE:
            found += messages_from(event_message(inner), "assistant")
        elif event.name == "gen_ai.content.completion":
            return inner.value("gen_ai.completion")
    return found or None


def event_message(inner: Seen) -> Message:
    """The attributes of an event, or the message or body in them; structured or as JSON."""
    node: Message = {name: inner.value(name) for name in inner.attributes}
    for name in ("gen_ai.event.content", "event.body", "body", "message"):
        value = node.get(name)
        if type(value) is dict:
            node = value
        elif name in ("body", "message") and type(value) in (str, list):
            node = {"content": value} | node
    if type(node.get("role")) is str or "tool_call_id" in node:
        return node
    return {key: value for key, value in node.items() if key != "type"}


LEGACY = Dialect(
    name="genai_legacy",
    prefixes=("gen_ai.",),
    fields={
        "agent_name": ("gen_ai.workflow.name",),
        "end_user": ("gen_ai.user",),
        "provider": ("gen_ai.system",),
        "input_tokens": ("gen_ai.usage.prompt_tokens",),
        "output_tokens": ("gen_ai.usage.completion_tokens",),
        "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
        "cached": (
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_read_tokens",
            "gen_ai.usage.input_cached_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
        ),
        "cache_write": (
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
        ),
        "reasoning": (
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.details.reasoning_tokens",
        ),
        "cost": ("gen_ai.usage.cost", "operation.cost"),
    },
    families=(GIVEN, SAID),
    inputs=(given, "gen_ai.prompt", given_in_events),
    outputs=(said, "gen_ai.completion", said_in_events),
)
