"""The conversation that the steps of a run tell. Pure functions over spans and their bodies."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.services.histories import Histories
from app.services.ingestion.dialects.messages import conversation_in
from app.services.message_media import Media, in_one_shape, media_in
from app.services.open_calls import OpenCalls

Message = dict[str, Any]  # OpenAI's shape, or near it
NS_PER_MS = 1_000_000
# What LangSmith's exporter leaves of the messages of Claude's agents.
LOST = {"content": "role"}
PROMPT, RESPONSES = {"prompt", "system"}, {"input", "instructions"}
MCP_KEYS = frozenset(["content", "isError"])
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
    if value == LOST:
        return []
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


def fingerprint(message: Message) -> int:
    """What tells messages apart, however a framework writes them when they come back: thoughts
    are often left out then, an agent's name is put to them, and arguments are written anew.
    """
    content = message.get("content")
    said = content.strip() if isinstance(content, str) else content and as_json(content)
    asked = [(str(c.call_id), c.name, as_json(c.arguments)) for c in calls_in(message)]
    answers = message.get("tool_call_id")
    return hash((str(message.get("role")), said or "", answers and str(answers), *asked))


def as_json(value: Any) -> str:  # any JSON value
    return json.dumps(value, sort_keys=True, default=str)


def is_system(message: Message) -> bool:
    return message.get("role") in ("system", "developer")


def plain_result(value: Any) -> Any:  # any JSON value
    """What a tool gave, without the envelopes of MCP, of Google's ADK and of Microsoft's agents."""
    if not isinstance(value, dict):
        return value
    content = value.get("content")
    if isinstance(content, list) and value.keys() <= MCP_KEYS and not value.get("isError"):
        return text_of(content) if all(map(is_text, content)) else value
    if value.keys() == {"id", "name", "response"}:
        return value["response"]
    return (
        value["result"] if value.get("type") == "function_result" and "result" in value else value
    )


def is_text(part: Any) -> bool:  # a content part
    return isinstance(part, dict) and part.get("type") == "text" and "text" in part


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
    """Walks the spans by start time and keeps what was said, each message once.

    ``within`` names, of model steps that lie alone in another one, that other one: frameworks and
    their providers are often both instrumented, and tell of one call twice.
    """

    def __init__(self, start_ns: int, within: Mapping[bytes, bytes] | None = None) -> None:
        self.start_ns = start_ns
        self.turns: list[Turn] = []
        self._within = within or {}
        self._told: set[bytes] = set()
        self._histories = Histories()
        self._open = OpenCalls()

    def read(self, spans: Iterable[Any]) -> None:  # spans with bodies, by start time
        for span in spans:
            if span.kind is SpanKind.LLM or holds_unanswered(span):
                self.model_step(span)
            elif span.kind is SpanKind.TOOL:
                self.tool_step(span)

    def model_step(self, span: Any) -> None:  # a span with its body
        """Inputs may be the whole history or only what is new; both are told once."""
        if self._within.get(span.span_id) in self._told:
            self._told.add(span.span_id)
            return
        given = in_one_shape(messages_of(span.input, "user"), "user")
        prints = [fingerprint(message) for message in given]
        system = {m for m, message in zip(prints, given, strict=True) if is_system(message)}
        for place in self._histories.new_among(prints, system):
            self._say(given[place], span, spoken_by_model=False)
        answers = self._answers(span)
        self._histories.keep([*prints, *map(fingerprint, answers)])
        if given or answers:
            self._told.add(span.span_id)

    def whole_step(self, span: Any) -> int:  # a span with its body
        """All that one step was given, then what it gave; how many turns it was given."""
        for message in in_one_shape(messages_of(span.input, "user"), "user"):
            self._say(message, span, spoken_by_model=False)
        given = len(self.turns)
        self._answers(span)
        return given

    def _answers(self, span: Any) -> list[Message]:  # a span with its body
        answers = in_one_shape(messages_of(span.output, "assistant"), "assistant")
        are_choices = are_choices_of(answers, span.attributes or {})
        for number, message in enumerate(answers, 1):
            turn = self._say(message, span, spoken_by_model=True)
            if turn is not None and are_choices:
                turn.choice = f"choice {number} of {len(answers)}"
        return answers

    def _say(self, message: Message, span: Any, *, spoken_by_model: bool) -> Turn | None:
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
        for call in turn.calls:
            self._open.add(call)
        self.turns.append(turn)
        return turn

    def _answer(self, message: Message) -> None:
        call = self._open.told_by_message(message.get("tool_call_id"), message.get("name"))
        result = plain_result(parsed(message.get("content")))
        if call is None:
            name = str(message.get("name") or "tool")
            self.turns.append(Turn("tool", "", calls=[ToolCall(None, name, None, result)]))
            return
        call.result = result if call.result is None else call.result
        self._open.mark_answered(call)

    def tool_step(self, span: Any) -> None:  # a span with its body
        name = span.tool_name or span.name
        call = self._open.told_by_step(call_id_of(span.attributes or {}), name)
        if call is None:
            call = ToolCall(None, name, parsed(span.input))
            self.turns.append(Turn("tool", "", calls=[call]))
        call.span_id = span.span_id.hex()
        call.result = plain_result(span.output)
        call.failed = span.status is SpanStatus.ERROR
        if span.end_ns is not None:
            call.duration_ms = (span.end_ns - span.start_ns) / NS_PER_MS


def holds_unanswered(span: Any) -> bool:  # a span with its body
    """A step of no kind with messages in it: what came after the last answer, as imports keep."""
    return (
        span.kind is SpanKind.OTHER
        and isinstance(span.input, dict)
        and isinstance(span.input.get("messages"), list)
    )


def lone_within(steps: Iterable[Any]) -> dict[bytes, bytes]:  # all spans of a run
    """Model steps that have just one model step below them, by the id of that one."""
    known = {step.span_id: step for step in steps}
    above = {
        span_id: found
        for span_id, step in known.items()
        if step.kind is SpanKind.LLM and (found := model_step_above(step, known))
    }
    below = Counter(above.values())
    return {span_id: found for span_id, found in above.items() if below[found] == 1}


def model_step_above(step: Any, known: Mapping[bytes, Any]) -> bytes | None:  # a span; spans
    seen = {step.span_id}
    above = known.get(step.parent_span_id)
    while above is not None and above.span_id not in seen:
        if above.kind is SpanKind.LLM:
            return bytes(above.span_id)
        seen.add(above.span_id)
        above = known.get(above.parent_span_id)
    return None


def conversation_of(spans: Iterable[Any]) -> list[Turn]:  # spans with bodies, by start time
    """What was said and called, in order; empty where no span holds messages."""
    ordered = list(spans)
    if not ordered:
        return []
    reader = Reader(ordered[0].start_ns, lone_within(ordered))
    reader.read(ordered)
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
        for message in in_one_shape(messages_of(asked(value, role), role), role)
    ]


def asked(value: Any, role: str) -> Any:  # any JSON value
    """A prompt with its instructions as messages; anything else as it is."""
    is_prompt = isinstance(value, dict) and value.keys() in (PROMPT, RESPONSES)
    return (conversation_in(value, role) if is_prompt else None) or value


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
