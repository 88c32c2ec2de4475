"""One step of a run, as the panel beside the trace shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.templating import pretty_json
from app.core.texts import _
from app.models.spans import SpanKind
from app.schemas.spans import SpanRead
from app.services.call_checks import CallCheck, Offered, check_of
from app.services.conversation import ToolCall, Turn, messages_of, parsed, step_of
from app.services.message_media import in_one_shape
from app.services.spans import FullSpan

NS_PER_MS = 1_000_000
SETTINGS = ("temperature", "top_p", "max_tokens", "seed")
REPLAY = """\
curl "${{OPENAI_BASE_URL:-https://api.openai.com/v1}}/chat/completions" \\
  -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  --data-binary @- <<'JSON'
{body}
JSON"""
LAST_MESSAGES, EARLIER_MESSAGES = 12, 100
MAX_EVENTS, MAX_ATTRIBUTES = 100, 500


@dataclass(frozen=True, slots=True)
class StepEvent:
    name: str
    offset_ms: float | None
    details: str


@dataclass(frozen=True, slots=True)
class StepView:
    """``earlier`` are messages that were given before ``given``, folded away; before them
    ``left_out`` more.

    A step that holds no messages has ``values`` instead: what each is, and its text.
    """

    raw: str
    attributes: list[tuple[str, str]]
    events: list[StepEvent]
    earlier: list[Turn] = field(default_factory=list)
    left_out: int = 0
    given: list[Turn] = field(default_factory=list)
    said: list[Turn] = field(default_factory=list)
    call: ToolCall | None = None
    check: CallCheck | None = None
    values: list[tuple[str, str]] = field(default_factory=list)
    replay: str = ""  # a shell command that asks the model again
    # How many attributes, events and links were left out, by the sender or as more than is kept.
    dropped: Mapping[str, int] = field(default_factory=dict)


def step_view(full: FullSpan, offered: dict[str, Offered]) -> StepView:
    read = SpanRead.model_validate(full).model_dump(mode="json", by_alias=True)
    attributes = sorted((full.attributes or {}).items())[:MAX_ATTRIBUTES]
    view = StepView(
        raw=pretty_json(read),
        attributes=[(name, as_text(value)) for name, value in attributes],
        events=list(events_of(full)),
        dropped=((full.body and full.body.wire) or {}).get("dropped", {}),
    )
    if full.kind is SpanKind.TOOL:
        call = ToolCall(None, full.tool_name or full.name, parsed(full.input), full.output)
        return replace(view, call=call, check=check_of(call, offered))
    if full.kind is SpanKind.LLM or are_messages(full):
        given, said = step_of(full)
        before, late = given[:-LAST_MESSAGES], given[-LAST_MESSAGES:]
        earlier = before[-EARLIER_MESSAGES:]
        replay = replay_of(full, offered) if full.kind is SpanKind.LLM and given else ""
        told = replace(view, earlier=earlier, given=late, said=said, replay=replay)
        return replace(told, left_out=len(before) - len(earlier))
    both = ((_("Input"), full.input), (_("Output"), full.output))
    return replace(view, values=[(n, as_text(v)) for n, v in both if v is not None])


def replay_of(full: FullSpan, offered: dict[str, Offered]) -> str:
    """The call as a command for anything that speaks OpenAI's chat API; keys stay in the shell."""
    body: dict[str, Any] = {
        "model": full.model_name or "MODEL",
        "messages": in_one_shape(messages_of(full.input, "user"), "user"),
    }
    attributes = full.attributes or {}
    for name in SETTINGS:
        if isinstance(attributes.get(f"gen_ai.request.{name}"), int | float):
            body[name] = attributes[f"gen_ai.request.{name}"]
    if offered:
        body["tools"] = [
            {"type": "function", "function": {"name": tool.name, "parameters": tool.schema}}
            for tool in offered.values()
        ]
    # A quoted word ends the text, so that the shell reads nothing in it; JSON has no such line.
    return REPLAY.format(body=pretty_json(body))


def are_messages(full: FullSpan) -> bool:
    """Whether what a step was given or gave is a conversation."""
    found = [messages_of(v, "") for v in (full.input, full.output) if isinstance(v, dict | list)]
    return any(messages and all(m.get("role") for m in messages) for messages in found)


def as_text(value: Any) -> str:  # a JSON value
    return value if isinstance(value, str) else pretty_json(value)


def events_of(full: FullSpan) -> Iterable[StepEvent]:
    events = full.events if isinstance(full.events, list) else []
    for event in events[:MAX_EVENTS]:
        known = event if isinstance(event, dict) else {"name": str(event)}
        at = known.get("time_ns")
        details = known.get("attributes") or {k: v for k, v in known.items() if k != "name"}
        yield StepEvent(
            str(known.get("name", "event")),
            (at - full.start_ns) / NS_PER_MS if isinstance(at, int) else None,
            as_text(details),
        )
