"""The conversation that the steps of a run tell. Pure functions over spans and their bodies."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.services.message_media import Media, in_one_shape, media_in

Message = dict[str, Any]  # OpenAI's shape, or near it
NS_PER_MS = 1_000_000
CALL_IDS = ("gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id", "tool.id")


@dataclass(slots=True)
class ToolCall:
    """A call as the model asked for it, with what came of it where a span or message says so."""

    call_id: str | None
    name: str
    arguments: Any  # JSON, or text that is none
    result: Any = None  # JSON, or text
    failed: bool = False
    duration_ms: float | None = None
    span_id: str | None = None
    answered: bool = False
    check: Any = None  # how it stands to its schema, where somebody has looked


@dataclass(slots=True)
class Turn:
    """One thing said. ``role`` is system, user, assistant or tool."""

    role: str
    text: str
    span_id: str | None = None
    model_name: str | None = None
    tokens: int | None = None
    cost: Any = None  # Decimal
    offset_ms: float | None = None
    name: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    reasoning: str = ""
    media: list[Media] = field(default_factory=list)
    choice: str = ""  # which of several answers to one question

    @property
    def structured(self) -> Any:  # JSON
        """The object or list that the text is, where it is one; else ``None``."""
        value = parsed(self.text) if self.text[:1] in ("{", "[") else None
        return value if isinstance(value, dict | list) else None


def messages_of(value: Any, role: str) -> list[Message]:  # any JSON value
    """The messages in a span's input or output; plain text is said by ``role``."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        value = value["messages"]
    if isinstance(value, dict):
        return [value] if "role" in value else [{"role": role, "content": value}]
    if isinstance(value, list) and all(isinstance(m, dict) and "role" in m for m in value):
        return list(value)
    return [] if value is None else [{"role": role, "content": value}]


def text_of(content: Any) -> str:  # a message's content
    """Text, or the texts of content parts; anything else as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(part_text, content)))
    return json.dumps(content, ensure_ascii=False, indent=2)


def part_text(part: Any) -> str:  # a content part
    if isinstance(part, dict):
        for key in ("text", "content"):
            if isinstance(part.get(key), str):
                return str(part[key])
        return f"[{part.get('type', 'part')}]"
    return str(part)


def words_of(content: Any) -> str:  # a message's content
    """As ``text_of``, without pictures and files, which are told apart."""
    if isinstance(content, list):
        content = [part for part in content if not media_in([part])]
    return text_of(content)


def parsed(value: Any) -> Any:  # JSON text or JSON
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def calls_in(message: Message) -> list[ToolCall]:
    calls = message.get("tool_calls")
    found = []
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            inner = call.get("function")
            function = inner if isinstance(inner, dict) else call
            name = str(function.get("name") or "unknown")
            found.append(ToolCall(call.get("id"), name, parsed(function.get("arguments"))))
    return found


def fingerprint(message: Message) -> str:
    """What tells messages apart. Thoughts are often left out of the history that comes back, and
    frameworks put the agent's name to it.
    """
    unsaid = ("reasoning_content", "name" if message.get("role") == "assistant" else "")
    said = {key: value for key, value in message.items() if key not in unsaid}
    return json.dumps(said, sort_keys=True, default=str)


def call_id_of(attributes: dict[str, Any]) -> object:
    """The id of the call that a tool step answers, in the words of its sender."""
    return next((attributes[name] for name in CALL_IDS if name in attributes), None)


def are_choices_of(answers: Sequence[Message], attributes: dict[str, Any]) -> bool:
    """Whether several answers were asked for, rather than one was given in several messages."""
    reasons = attributes.get("gen_ai.response.finish_reasons")
    asked = attributes.get("gen_ai.request.choice.count")
    told = len(reasons) if isinstance(reasons, list) else 0
    return len(answers) > 1 and (told == len(answers) or (isinstance(asked, int) and asked > 1))


class Reader:
    """Walks the spans by start time and keeps what was said, each message once."""

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self.turns: list[Turn] = []
        self._heard: list[str] = []
        self._open: list[ToolCall] = []

    def model_step(self, span: Any) -> None:  # a span with its body
        """Inputs may be the whole history or only what is new; both are told once."""
        given = in_one_shape(messages_of(span.input, "user"), "user")
        for message in self._new_among(given):
            self._say(message, span, spoken_by_model=False)
        self._answers(span)

    def whole_step(self, span: Any) -> int:  # a span with its body
        """All that one step was given, then what it gave; how many turns it was given."""
        for message in in_one_shape(messages_of(span.input, "user"), "user"):
            self._say(message, span, spoken_by_model=False)
        given = len(self.turns)
        self._answers(span)
        return given

    def _answers(self, span: Any) -> None:  # a span with its body
        answers = in_one_shape(messages_of(span.output, "assistant"), "assistant")
        are_choices = are_choices_of(answers, span.attributes or {})
        for number, message in enumerate(answers, 1):
            turn = self._say(message, span, spoken_by_model=True)
            if turn is not None and are_choices:
                turn.choice = f"choice {number} of {len(answers)}"

    def _new_among(self, given: Sequence[Message]) -> list[Message]:
        """What was not heard, where all that was heard comes back, in any order; else all."""
        if len(given) < len(self._heard):
            return list(given)
        heard = Counter(self._heard)
        new = []
        for message in given:
            print_of_it = fingerprint(message)
            if heard[print_of_it] > 0:
                heard[print_of_it] -= 1
            else:
                new.append(message)
        return list(given) if any(heard.values()) else new

    def _say(self, message: Message, span: Any, *, spoken_by_model: bool) -> Turn | None:
        self._heard.append(fingerprint(message))
        if message.get("role") in ("tool", "function"):
            self._answer(message)
            return None
        turn = Turn(
            role=str(message.get("role", "user")),
            text=words_of(message.get("content")),
            span_id=span.span_id.hex(),
            name=message.get("name"),
            offset_ms=(span.start_ns - self.start_ns) / NS_PER_MS,
            calls=calls_in(message),
            reasoning=text_of(message.get("reasoning_content")),
            media=media_in(message.get("content")),
        )
        if spoken_by_model:
            turn.model_name, turn.cost = span.model_name, span.cost
            known = [n for n in (span.input_tokens, span.output_tokens) if n is not None]
            turn.tokens = sum(known) if known else None
        self._open.extend(turn.calls)
        self.turns.append(turn)
        return turn

    def _answer(self, message: Message) -> None:
        call = self._find(message.get("tool_call_id"), message.get("name"), stepped=True)
        result = parsed(message.get("content"))
        if call is None:
            name = str(message.get("name") or "tool")
            self.turns.append(Turn("tool", "", calls=[ToolCall(None, name, None, result)]))
            return
        call.result = result if call.result is None else call.result
        call.answered = True

    def tool_step(self, span: Any) -> None:  # a span with its body
        call = self._find(call_id_of(span.attributes or {}), span.tool_name or span.name)
        if call is None or call.span_id is not None:
            call = ToolCall(None, span.tool_name or span.name, parsed(span.input))
            self.turns.append(Turn("tool", "", calls=[call]))
        call.span_id = span.span_id.hex()
        call.result = span.output
        call.failed = span.status is SpanStatus.ERROR
        if span.end_ns is not None:
            call.duration_ms = (span.end_ns - span.start_ns) / NS_PER_MS

    def _find(self, call_id: object, name: object, *, stepped: bool = False) -> ToolCall | None:
        """By id; where no ids are told by name, among calls that have no step of theirs yet.

        A message (``stepped``) may also tell what a step has told.
        """
        waiting = [call for call in self._open if not call.answered]
        for call in waiting:
            if call_id is not None and call.call_id == call_id:
                return call
        if call_id is not None and any(call.call_id for call in waiting):
            return None
        named = (call for call in waiting if call.name == name)
        return next((call for call in named if stepped or not call.span_id), None)


def holds_unanswered(span: Any) -> bool:  # a span with its body
    """A step of no kind with messages in it: what came after the last answer, as imports keep."""
    return (
        span.kind is SpanKind.OTHER
        and isinstance(span.input, dict)
        and isinstance(span.input.get("messages"), list)
    )


def conversation_of(spans: Iterable[Any]) -> list[Turn]:  # spans with bodies, by start time
    """What was said and called, in order; empty where no span holds messages."""
    ordered = list(spans)
    if not ordered:
        return []
    reader = Reader(ordered[0].start_ns)
    for span in ordered:
        if span.kind is SpanKind.LLM or holds_unanswered(span):
            reader.model_step(span)
        elif span.kind is SpanKind.TOOL:
            reader.tool_step(span)
    return reader.turns


def step_of(span: Any) -> tuple[list[Turn], list[Turn]]:  # a span with its body
    """What one step was told, the whole history if it was, and what it answered."""
    reader = Reader(span.start_ns)
    given = reader.whole_step(span)
    return reader.turns[:given], reader.turns[given:]


def turns_of(value: Any, role: str) -> list[Turn]:  # any JSON value
    """A run's own input or output as turns; no step tells of them."""
    return [
        Turn(
            role=str(message.get("role", role)),
            text=words_of(message.get("content")),
            calls=calls_in(message),
            reasoning=text_of(message.get("reasoning_content")),
            media=media_in(message.get("content")),
        )
        for message in in_one_shape(messages_of(value, role), role)
    ]


def untold(value: Any, role: str, turns: Iterable[Turn]) -> list[Turn]:  # any JSON value
    """What a run's own input or output says that the turns do not."""
    heard = list(turns)
    said = {turn.text for turn in heard}
    called = {call.name for turn in heard for call in turn.calls}
    left = []
    for turn in turns_of(value, role):
        calls = [call for call in turn.calls if call.name not in called]
        is_known = turn.text in said | {""} or (turn.role == "tool" and bool(called))
        if not is_known or calls or turn.media:
            left.append(turn)
    return left


def told(value: Any, role: str, turns: Iterable[Turn]) -> bool:  # any JSON value
    """Whether the turns already say all that a run's own input or output says."""
    said = {turn.text for turn in turns} | {""}
    return all(words_of(message.get("content")) in said for message in messages_of(value, role))
