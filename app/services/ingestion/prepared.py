"""Spans made ready to be stored: columns, JSON and claims. Pure functions, off the event loop."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import orjson

from app.models.executions import CostSource
from app.models.spans import MODEL_KINDS, SpanKind, SpanStatus
from app.schemas.base import MAX_BIGINT, MAX_JSON_DEPTH
from app.services.ingestion.claims import Claims, Speaker, claim_for, claim_words, may_speak, merge
from app.services.ingestion.dialects import attributes_at_the_door, read_span
from app.services.ingestion.facts import Evaluation, SpanFacts, UsageFacts
from app.services.ingestion.otlp.encoding import pairs
from app.services.ingestion.wire import OF_THE_RUN, Decoded, Rejection, WireEvent, WireLog, WireSpan
from app.services.spans import moment_of

MAX_COST = Decimal("1e9")
NINE_PLACES = Decimal("1e-9")
Pricing = Callable[[WireSpan, SpanFacts], Decimal | None]


def clean(value: Any, depth: int = 0) -> Any:  # any value an attribute may have
    """The same, as PostgreSQL's jsonb can hold it."""
    match value:
        case str():
            return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case dict() if depth < MAX_JSON_DEPTH:
            return {clean(str(k)): clean(item, depth + 1) for k, item in value.items()}
        case list() | tuple() if depth < MAX_JSON_DEPTH:
            return [clean(item, depth + 1) for item in value]
        case bool() | float() | None:
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else float(value)
        case _:
            return str(value)[:1000]


def to_json(value: Any) -> str | None:  # any value an attribute may have
    """JSON text that jsonb takes; ``None`` for what is not there."""
    if value is None:
        return None
    text = without_nul_to_json(value)
    return orjson.dumps(clean(value)).decode() if "\\u0000" in text else text


def without_nul_to_json(value: Any) -> str:  # as the door let it in
    """As ``to_json``: looking for NULs in kilobytes of JSON takes longer than writing it."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):  # lone surrogates, huge numbers, bytes, too deep
        return orjson.dumps(clean(value)).decode()


def short(text: str | None, size: int = 200) -> str | None:
    if not text:
        return None
    if text.isascii() and "\0" not in text:
        return text[:size]
    cleaned: str = clean(text[:size])
    return cleaned or None


def count_of(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= MAX_BIGINT else None


def cost_of(cost: Decimal | None) -> Decimal | None:
    usable = cost is not None and cost.is_finite() and 0 <= cost < MAX_COST
    return cost.quantize(NINE_PLACES) if usable and cost is not None else None


@dataclass(frozen=True, slots=True)
class Item:
    """One span: the columns of its narrow row and of its body, in the order of the statement."""

    wire: WireSpan
    key: tuple[bytes, bytes, Any]
    row: tuple[Any, ...]
    body: tuple[str | None, ...]
    evaluations: Sequence[Evaluation] = ()

    @property
    def is_tool(self) -> bool:
        return bool(self.row[1] == SpanKind.TOOL.value)


@dataclass(slots=True)
class Trace:
    """The spans of one trace in a batch, and what they claim together."""

    trace_id: bytes
    claims: Claims = field(default_factory=dict)
    input: Any = None
    output: Any = None
    items: dict[tuple[bytes, bytes, Any], Item] = field(default_factory=dict)
    speakers: list[Speaker] = field(default_factory=list)

    @property
    def span_keys(self) -> set[tuple[bytes, bytes]]:
        """Of each span; with a root also of what is told of the run."""
        of_run = {(self.trace_id, OF_THE_RUN)} if "root" in self.claims else set()
        return {key[:2] for key in self.items} | of_run

    def add(self, item: Item, facts: SpanFacts) -> None:
        """Of a span that is there twice, the one that ended later stays."""
        known = self.items.get(item.key)
        if known is not None and (known.wire.end_ns or 0) > (item.wire.end_ns or 0):
            return
        self.items[item.key] = item
        claim_for(self.claims, item.wire, facts)
        if may_speak(item.wire, facts):
            self.speakers.append((item.wire, facts.kind))

    def complete(self) -> None:
        """All its spans are there: what was asked and answered can be claimed."""
        self.input = claim_words(self.claims, "input", self.speakers)
        self.output = claim_words(self.claims, "output", self.speakers)
        self.speakers.clear()


@dataclass(frozen=True, slots=True)
class PreparedLog:
    """A log record that tells of a span, as it may be kept: without secrets."""

    key: tuple[bytes, bytes]  # trace id, span id or ``OF_THE_RUN``
    event: WireEvent


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, ready to be stored."""

    traces: dict[bytes, Trace]
    rejected: list[Rejection]
    span_count: int
    logs: Sequence[PreparedLog] = ()
    cut_count: int = 0  # spans that had more attributes, events or links than are kept

    @property
    def size(self) -> int:
        """How much there is to store."""
        return self.span_count + len(self.logs)


def usage_columns(usage: UsageFacts) -> tuple[int | None, ...]:
    counts = (usage.input, usage.output, usage.cached, usage.cache_write, usage.reasoning)
    return tuple(count_of(count) for count in counts)


def wire_extras(span: WireSpan) -> dict[str, Any] | None:
    """What none of our columns holds, for whoever gets the span from us."""
    found = {
        "kind": span.kind,
        "status_message": span.status_message,
        "remote_parent": span.parent_is_remote,
        "dropped": dict(span.dropped),
        "links": [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "attributes": pairs(attributes_at_the_door(link.attributes)),
            }
            for link in span.links
        ],
    }
    return {name: value for name, value in found.items() if value} or None


def events_json(span: WireSpan) -> list[dict[str, Any]] | None:
    return [
        {
            "name": event.name,
            "time_ns": event.time_ns,
            "attributes": attributes_at_the_door(event.attributes),
        }
        for event in span.events
    ] or None


def item_of(span: WireSpan, facts: SpanFacts, pricing: Pricing) -> Item:
    started_at = moment_of(span.start_ns)
    cost, source = cost_of(facts.usage.cost), CostSource.REPORTED
    if cost is None and facts.kind in MODEL_KINDS:
        cost, source = pricing(span, facts), CostSource.COMPUTED
    row = (
        span.parent_span_id,
        facts.kind.value,
        short(span.name, 300) or "unnamed",
        span.status.value,
        span.start_ns,
        span.end_ns,
        short(facts.model_name),
        short(facts.provider, 100),
        short(facts.tool_name),
        *usage_columns(facts.usage),
        cost,
        (CostSource.UNPRICED if cost is None else source).value,
    )
    body = (
        without_nul_to_json(facts.attributes),
        to_json(events_json(span)),
        to_json(wire_extras(span)),
    )
    return Item(span, (span.trace_id, span.span_id, started_at), row, body, facts.evaluations)


def prepare(decoded: Decoded, pricing: Pricing) -> Prepared:
    """Never raises: whatever a span holds, what cannot be stored is left out or replaced."""
    traces: dict[bytes, Trace] = {}
    for sent in decoded.spans:
        facts = read_span(sent)
        has_failed = facts.failed and sent.status is SpanStatus.UNSET  # as Langfuse leaves it
        span = replace(sent, status=SpanStatus.ERROR) if has_failed else sent
        trace = traces.get(span.trace_id)
        if trace is None:
            trace = traces[span.trace_id] = Trace(span.trace_id)
        trace.add(item_of(span, facts, pricing), facts)
    for trace in traces.values():
        trace.complete()
    count, cut = len(decoded.spans) + len(decoded.rejected), sum(s.is_cut for s in decoded.spans)
    return Prepared(traces, decoded.rejected, count, cut_count=cut)


def prepare_logs(logs: Sequence[WireLog], rejected: Sequence[Rejection] = ()) -> Prepared:
    kept = [
        PreparedLog(
            (log.trace_id, log.span_id),
            replace(log.event, attributes=attributes_at_the_door(log.event.attributes)),
        )
        for log in logs
    ]
    return Prepared({}, list(rejected), 0, kept)


def merged(batches: Iterable[Prepared]) -> dict[bytes, Trace]:
    """The traces of several requests as one; what they share is merged."""
    together: dict[bytes, Trace] = {}
    for batch in batches:
        for trace_id, trace in batch.traces.items():
            known = together.get(trace_id)
            together[trace_id] = trace if known is None else joined(known, trace)
    return together


def joined(one: Trace, other: Trace) -> Trace:
    both = Trace(one.trace_id, dict(one.claims), one.input, one.output, dict(one.items))
    changed = merge(both.claims, other.claims)
    both.input = other.input if "input" in changed else both.input
    both.output = other.output if "output" in changed else both.output
    for key, item in other.items.items():
        known = both.items.get(key)
        if known is None or (item.wire.end_ns or 0) >= (known.wire.end_ns or 0):
            both.items[key] = item
    return both
