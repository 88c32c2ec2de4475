"""Chat completions as they arrive: pieces put together, whatever the server makes of the format.

Nothing that comes from outside is believed to have the shape it should have.
"""

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
MAX_ANSWER_BYTES = 3_000_000  # as JSON; more cannot be stored


class Malformed(Exception):
    """What came is no piece of a chat completion."""


def clean(value: Any) -> Any:  # any JSON value
    """The value as PostgreSQL can hold it: without NUL characters and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "�").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    return [clean(item) for item in value] if isinstance(value, list) else value


def mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
    return value if is_count and isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Totals: input includes cached tokens, output includes reasoning; ``None`` is unknown."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    cache_write: int | None = None

    @classmethod
    def of(cls, usage: object) -> "TokenUsage":
        found = mapping(usage)
        asked = mapping(found.get("prompt_tokens_details"))
        return cls(
            count(found.get("prompt_tokens")),
            count(found.get("completion_tokens")),
            count(asked.get("cached_tokens")),
            count(mapping(found.get("completion_tokens_details")).get("reasoning_tokens")),
            count(asked.get("cache_write_tokens")),
        )


@dataclass(frozen=True, slots=True)
class WantedCall:
    """A tool call that the model asks for; ``arguments`` is its text, JSON if all is well."""

    call_id: str
    name: str
    arguments: str

    @property
    def parsed(self) -> Any:  # any JSON value
        """Raise ``ValueError`` when the arguments are no JSON."""
        return json.loads(self.arguments or "{}")

    @property
    def message(self) -> Json:
        """As it stands in the assistant's message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.call_id, "type": "function", "function": function}


@dataclass(slots=True)
class Choice:
    """One of the answers, as far as it has come."""

    content: str = ""
    refusal: str = ""
    finish_reason: str | None = None
    calls: dict[int, Json] = field(default_factory=dict)

    def add_call(self, given: object) -> None:
        """A piece of a call. Servers name it by index, or by id alone, or send it whole."""
        piece = mapping(given)
        call = self.calls.setdefault(self._place(piece), {"id": "", "name": "", "arguments": ""})
        function = mapping(piece.get("function"))
        call["id"] = call["id"] or text(piece.get("id"))
        name = text(function.get("name"))
        call["name"] += "" if name == call["name"] else name
        arguments = function.get("arguments")
        is_whole = isinstance(arguments, dict)
        call["arguments"] += json.dumps(arguments) if is_whole else text(arguments)

    def _place(self, piece: Json) -> int:
        index = count(piece.get("index"))
        if index is not None:
            return index
        known = [i for i, call in self.calls.items() if call["id"] == text(piece.get("id"))]
        newest = max(self.calls, default=-1)
        if known:
            return known[0]
        return newest + 1 if text(piece.get("id")) or newest < 0 else newest

    @property
    def wanted(self) -> list[WantedCall]:
        return [
            WantedCall(call["id"] or f"call_{index}", call["name"] or "unknown", call["arguments"])
            for index, call in sorted(self.calls.items())
        ]

    @property
    def message(self) -> Json:
        """The assistant's message, as it is sent back in the next turn."""
        said: Json = {"role": "assistant", "content": self.content or self.refusal or None}
        calls = [call.message for call in self.wanted]
        return said | ({"tool_calls": calls} if calls else {})


@dataclass(slots=True)
class Completion:
    """An answer, whole or as far as it has come. The first choice is the one that counts."""

    model: str | None = None
    response_id: str | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    choices: dict[int, Choice] = field(default_factory=dict)
    size: int = 0

    @property
    def first(self) -> Choice:
        return self.choices[min(self.choices)] if self.choices else Choice()

    @property
    def is_whole(self) -> bool:
        return bool(self.choices) and all(c.finish_reason for c in self.choices.values())

    @property
    def finish_reasons(self) -> list[str]:
        return [c.finish_reason for _, c in sorted(self.choices.items()) if c.finish_reason]

    @property
    def messages(self) -> list[Json]:
        """The message of each choice."""
        return [choice.message for _, choice in sorted(self.choices.items())]

    def add(self, chunk: object) -> str:
        """Put a piece in its place: the text that the first choice gained.

        Raise ``Malformed`` for what is no piece, and when the answer is beyond all measure.
        """
        piece = clean(chunk)
        if not isinstance(piece, dict):
            raise Malformed
        self.model = self.model or text(piece.get("model")) or None
        self.response_id = self.response_id or text(piece.get("id")) or None
        if piece.get("usage"):
            self.usage = TokenUsage.of(piece["usage"])
        before = len(self.first.content)
        for given in items(piece.get("choices")):
            self._add_choice(mapping(given))
        if self.size > MAX_ANSWER_BYTES:
            raise Malformed
        return self.first.content[before:]

    def _add_choice(self, given: Json) -> None:
        # A server that does not stream sends the whole message instead of deltas.
        delta = mapping(given.get("delta") or given.get("message"))
        choice = self.choices.setdefault(count(given.get("index")) or 0, Choice())
        choice.content += text(delta.get("content"))
        choice.refusal += text(delta.get("refusal"))
        for call in items(delta.get("tool_calls")):
            choice.add_call(call)
        choice.finish_reason = text(given.get("finish_reason")) or choice.finish_reason
        self.size += len(json.dumps([delta.get("content"), delta.get("tool_calls")])) - 12
