"""What single chat messages say: texts, tool calls, JSON inside text. Pure functions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.importers.transcripts import Message

ASSISTANT = "assistant"
SYSTEM_ROLES = frozenset({"system", "developer"})
TOOL_ROLES = frozenset({"tool", "function"})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model asked for it. ``call_id`` is missing in the older function calls."""

    call_id: str | None
    name: str
    arguments: Any  # JSON, or text that is none


def parsed(text: Any) -> Any:  # JSON text, or JSON already
    """The value of JSON text; what is no JSON (or holds NaN, which is none) stays as it is."""
    if not isinstance(text, str):
        return text
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return value


def text_of(content: Any) -> str:  # a message's content: text, parts, or nothing
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def result_of(content: Any) -> Any:  # a tool message's content
    """Objects and lists in text are read; a bare number or word stays the text that it was."""
    looks_like_json = isinstance(content, str) and content.lstrip()[:1] in ("{", "[")
    return parsed(content) if looks_like_json else content


def known_model(*sources: dict[str, Any]) -> str | None:
    """The first of these objects that names its model."""
    named = (source.get("model") for source in sources)
    return next((name.strip() for name in named if isinstance(name, str) and name.strip()), None)


def calls_in(message: Message) -> Iterator[ToolCall]:
    """The tool calls of an assistant message; entries without a name are no calls."""
    listed = message.get("tool_calls")
    entries = listed if isinstance(listed, list) else []
    legacy = message.get("function_call")
    for entry in [*entries, {"function": legacy}]:
        function = entry.get("function") if isinstance(entry, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            call_id = entry.get("id")
            yield ToolCall(
                call_id if isinstance(call_id, str) else None,
                function["name"],
                parsed(function.get("arguments")),
            )


class OpenCalls:
    """The calls made so far, found by id, or by name where there are no ids."""

    def __init__(self) -> None:
        self._by_id: dict[str, ToolCall] = {}
        self._by_name: dict[str, ToolCall] = {}

    def add(self, message: Message) -> None:
        """Ids that a sender uses again mean the latest call."""
        for call in calls_in(message):
            if call.call_id is not None:
                self._by_id[call.call_id] = call
            else:
                self._by_name[call.name] = call

    def answered_by(self, message: Message) -> ToolCall | None:
        call_id = message.get("tool_call_id")
        if isinstance(call_id, str):
            return self._by_id.get(call_id)
        name = message.get("name")
        return self._by_name.get(name) if isinstance(name, str) else None
