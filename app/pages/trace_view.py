"""Spans as the waterfall draws them."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from app.models import Span
from app.models.spans import SpanKind, SpanStatus
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
TICKS = 4


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One step: its place in the tree, and its bar in units of a thousandth of the whole.

    ``is_hit`` is one that was looked for; a row that is none leads to one below it.
    """

    span: Span
    span_id: str
    depth: int
    icon: str
    css: str
    failed: bool
    offset_ms: float
    duration_ms: float | None
    bar_start: float
    bar_width: float
    tokens: int | None
    is_hit: bool = False
    is_parent: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows in tree order, and the step that is looked at; the figures are of all steps.

    ``hits`` is ``None`` where nothing was looked for. ``rest_error`` is the first failed step
    that is not drawn, ``next_error`` the one after the step that is looked at.
    """

    rows: list[TraceRow]
    rest: int
    rest_errors: int
    rest_error: str | None
    selected: TraceRow | None
    duration_ms: float
    errors: int
    next_error: str | None
    by_kind: dict[str, int]
    hits: int | None = None

    @property
    def ticks(self) -> list[float]:
        """Moments of the ruler, in milliseconds from the start."""
        return [self.duration_ms * n / TICKS for n in range(TICKS + 1)]


NO_STEPS = Trace([], 0, 0, None, None, 0.0, 0, None, {})


def css_of(span: Any) -> str:  # a span
    if span.status is SpanStatus.ERROR:
        return "err"
    return (
        span.kind.value if span.kind in (SpanKind.LLM, SpanKind.TOOL, SpanKind.AGENT) else "agent"
    )


def trace_of(
    spans: Sequence[Span],
    selected: str | None,
    shown: int,
    hits: AbstractSet[bytes] | None = None,
) -> Trace:
    """``shown`` rows at least; more where the selected one comes later.

    With ``hits``, only those steps and the ones above them.
    """
    if not spans:
        return NO_STEPS
    start, whole = reach_of(spans)
    rows = [row_of(span, depth, start, whole) for span, depth in in_tree_order(spans)]
    chosen = next((row for row in rows if row.span_id == selected), None)
    drawn = with_parents(rows if hits is None else led_to(rows, hits))
    place = next((n for n, row in enumerate(drawn) if row.span_id == selected), -1)
    until = max(shown, place + 1)
    late = [row for row in drawn[until:] if row.failed]
    return Trace(
        rows=drawn[:until],
        rest=len(drawn[until:]),
        rest_errors=len(late),
        rest_error=late[0].span_id if late else None,
        selected=chosen,
        duration_ms=whole / NS_PER_MS,
        errors=sum(row.failed for row in rows),
        next_error=error_after(rows, chosen),
        by_kind=dict(Counter(row.span.kind.value for row in rows)),
        hits=None if hits is None else sum(row.is_hit for row in drawn),
    )


def reach_of(spans: Sequence[Span]) -> tuple[int, int]:
    """When the first step began, and how long it took from there to the last end, in ns."""
    start = min(span.start_ns for span in spans)
    end = max(span.end_ns or span.start_ns for span in spans)
    return start, max(1, end - start)


def led_to(rows: Sequence[TraceRow], hits: AbstractSet[bytes]) -> list[TraceRow]:
    """The hits, each below the steps that lead to it."""
    path: list[int] = []
    kept: set[int] = set()
    for place, row in enumerate(rows):
        path = [*path[: row.depth], place]
        if row.span.span_id in hits:
            kept.update(path)
    return [replace(rows[n], is_hit=rows[n].span.span_id in hits) for n in sorted(kept)]


def with_parents(rows: list[TraceRow]) -> list[TraceRow]:
    """Which rows have some below them that can be folded away."""
    depths = [*(row.depth for row in rows[1:]), 0]
    return [
        replace(row, is_parent=True) if depth > row.depth else row
        for row, depth in zip(rows, depths, strict=False)
    ]


def error_after(rows: Sequence[TraceRow], chosen: TraceRow | None) -> str | None:
    """The next failed step; after the last one, the first."""
    failed = [(n, row.span_id) for n, row in enumerate(rows) if row.failed]
    place = next((n for n, row in enumerate(rows) if row is chosen), -1)
    later = [span_id for n, span_id in failed if n > place]
    return next(iter(later or [span_id for _, span_id in failed]), None)


def row_of(span: Span, depth: int, start_ns: int, whole_ns: int) -> TraceRow:
    length = None if span.end_ns is None else span.end_ns - span.start_ns
    known = [n for n in (span.input_tokens, span.output_tokens) if n is not None]
    return TraceRow(
        span=span,
        span_id=span.span_id.hex(),
        depth=depth,
        icon=ICONS[span.kind],
        css=css_of(span),
        failed=span.status is SpanStatus.ERROR,
        offset_ms=(span.start_ns - start_ns) / NS_PER_MS,
        duration_ms=None if length is None else length / NS_PER_MS,
        bar_start=round((span.start_ns - start_ns) / whole_ns * 1000, 2),
        bar_width=max(2.0, round((length or 0) / whole_ns * 1000, 2)),
        tokens=sum(known) if known else None,
    )
