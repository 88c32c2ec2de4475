"""Spans as the waterfall draws them."""

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
    """All rows in tree order, and the step that is looked at."""

    rows: list[TraceRow]
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


def trace_of(spans: Sequence[FullSpan], selected: str | None) -> Trace:
    if not spans:
        return Trace([], None, 0.0, 0, {})
    start = min(span.span.start_ns for span in spans)
    end = max(span.span.end_ns or span.span.start_ns for span in spans)
    whole = max(1, end - start)
    rows = [row_of(full, depth, start, whole) for full, depth in in_tree_order(spans)]
    chosen = next((row for row in rows if row.span_id == selected), None)
    kinds: dict[str, int] = {}
    for row in rows:
        kinds[row.span.kind.value] = kinds.get(row.span.kind.value, 0) + 1
    return Trace(rows, chosen, whole / NS_PER_MS, sum(row.failed for row in rows), kinds)


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
