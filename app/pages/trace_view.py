"""Spans as the waterfall draws them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.services.spans import FullSpan
from app.services.traces import in_tree_order

ICONS = {
    SpanKind.LLM: "sparkles",
    SpanKind.TOOL: "tool",
    SpanKind.AGENT: "robot",
    SpanKind.CHAIN: "link",
    SpanKind.RETRIEVER: "database-search",
    SpanKind.EMBEDDING: "vector",
    SpanKind.OTHER: "point",
}
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One step: its place in the tree, and its bar in units of a thousandth of the whole."""

    span: FullSpan
    span_id: str
    depth: int
    icon: str
    css: str
    failed: bool
    duration_ms: float | None
    bar_start: float
    bar_width: float
    tokens: int | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows in tree order, and the step that is looked at; the figures are of all steps."""

    rows: list[TraceRow]
    rest: int
    rest_errors: int
    selected: TraceRow | None
    duration_ms: float
    errors: int
    by_kind: dict[str, int]


def css_of(span: Any) -> str:  # a span
    if span.status is SpanStatus.ERROR:
        return "err"
    return (
        span.kind.value if span.kind in (SpanKind.LLM, SpanKind.TOOL, SpanKind.AGENT) else "agent"
    )


def trace_of(spans: Sequence[FullSpan], selected: str | None, shown: int) -> Trace:
    """``shown`` rows at least; more where the selected one comes later."""
    if not spans:
        return Trace([], 0, 0, None, 0.0, 0, {})
    start = min(span.span.start_ns for span in spans)
    end = max(span.span.end_ns or span.span.start_ns for span in spans)
    whole = max(1, end - start)
    rows = [row_of(full, depth, start, whole) for full, depth in in_tree_order(spans)]
    place = next((n for n, row in enumerate(rows) if row.span_id == selected), None)
    until = max(shown, 0 if place is None else place + 1)
    failed = [row.failed for row in rows]
    return Trace(
        rows=rows[:until],
        rest=len(rows[until:]),
        rest_errors=sum(failed[until:]),
        selected=None if place is None else rows[place],
        duration_ms=whole / NS_PER_MS,
        errors=sum(failed),
        by_kind=dict(Counter(row.span.kind.value for row in rows)),
    )


def row_of(full: FullSpan, depth: int, start_ns: int, whole_ns: int) -> TraceRow:
    span = full.span
    length = None if span.end_ns is None else span.end_ns - span.start_ns
    known = [n for n in (span.input_tokens, span.output_tokens) if n is not None]
    return TraceRow(
        span=full,
        span_id=span.span_id.hex(),
        depth=depth,
        icon=ICONS[span.kind],
        css=css_of(span),
        failed=span.status is SpanStatus.ERROR,
        duration_ms=None if length is None else length / NS_PER_MS,
        bar_start=round((span.start_ns - start_ns) / whole_ns * 1000, 2),
        bar_width=max(2.0, round((length or 0) / whole_ns * 1000, 2)),
        tokens=sum(known) if known else None,
    )
