"""Spans as the waterfall draws them."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

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
# Spans or their rows, in the order of the tree, with their depths.
Ordered = Sequence[tuple[Any, int]]


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One step: its place in the tree, and its bar in units of a thousandth of the whole.

    ``is_hit`` is one that was looked for; a row that is none leads to one below it.
    """

    span: Any  # a span, or its row
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
    spans: Sequence[Any],  # spans, or their rows
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
    ordered = in_tree_order(spans)
    kept = range(len(ordered)) if hits is None else led_to(ordered, hits)
    ids = [ordered[n][0].span_id for n in kept]
    chosen = bytes.fromhex(selected or "")
    until = max(shown, ids.index(chosen) + 1 if chosen in ids else 0)
    rows = [row_of(*ordered[n], start, whole) for n in kept[:until]]
    late = [ordered[n][0] for n in kept[until:] if has_failed(ordered[n][0])]
    failed = [span.span_id for span, _ in ordered if has_failed(span)]
    return Trace(
        rows=with_marks(rows, depth_after(ordered, kept, until), hits),
        rest=len(kept[until:]),
        rest_errors=len(late),
        rest_error=late[0].span_id.hex() if late else None,
        selected=selected_in(ordered, chosen, start, whole),
        duration_ms=whole / NS_PER_MS,
        errors=len(failed),
        next_error=error_after(ordered, chosen),
        by_kind=dict(Counter(span.kind.value for span in spans)),
        hits=None if hits is None else sum(span_id in hits for span_id in ids),
    )


def reach_of(spans: Sequence[Any]) -> tuple[int, int]:
    """When the first step began, and how long it took from there to the last end, in ns."""
    start = min(span.start_ns for span in spans)
    end = max(span.end_ns or span.start_ns for span in spans)
    return start, max(1, end - start)


def led_to(ordered: Ordered, hits: AbstractSet[bytes]) -> list[int]:
    """The places of the hits, each below the steps that lead to it."""
    path: list[int] = []
    kept: set[int] = set()
    for place, (span, depth) in enumerate(ordered):
        path[depth:] = [place]
        if span.span_id in hits:
            kept.update(path)
    return sorted(kept)


def with_marks(
    rows: list[TraceRow], depth_below: int, hits: AbstractSet[bytes] | None
) -> list[TraceRow]:
    """Which rows were looked for, and which have some below them that can be folded away."""
    depths = [*(row.depth for row in rows[1:]), depth_below]
    return [
        replace(row, is_parent=depth > row.depth, is_hit=row.span.span_id in (hits or ()))
        for row, depth in zip(rows, depths, strict=False)
    ]


def depth_after(ordered: Ordered, kept: Sequence[int], until: int) -> int:
    """Of the first row that is not drawn: it may be below the last one that is."""
    return ordered[kept[until]][1] if until < len(kept) else 0


def selected_in(ordered: Ordered, chosen: bytes, start_ns: int, whole_ns: int) -> TraceRow | None:
    found = next((each for each in ordered if each[0].span_id == chosen), None)
    return row_of(*found, start_ns, whole_ns) if found else None


def has_failed(span: Any) -> bool:  # a span
    return bool(span.status is SpanStatus.ERROR)


def error_after(ordered: Ordered, chosen: bytes) -> str | None:
    """The next failed step; after the last one, the first."""
    failed = [(n, span.span_id) for n, (span, _) in enumerate(ordered) if has_failed(span)]
    place = next((n for n, (span, _) in enumerate(ordered) if span.span_id == chosen), -1)
    later = [span_id for n, span_id in failed if n > place]
    found = next(iter(later or [span_id for _, span_id in failed]), None)
    return found.hex() if found else None


def row_of(span: Any, depth: int, start_ns: int, whole_ns: int) -> TraceRow:
    length = None if span.end_ns is None else span.end_ns - span.start_ns
    known = [n for n in (span.input_tokens, span.output_tokens) if n is not None]
    return TraceRow(
        span=span,
        span_id=span.span_id.hex(),
        depth=depth,
        icon=ICONS[span.kind],
        css=css_of(span),
        failed=has_failed(span),
        offset_ms=(span.start_ns - start_ns) / NS_PER_MS,
        duration_ms=None if length is None else length / NS_PER_MS,
        bar_start=round((span.start_ns - start_ns) / whole_ns * 1000, 2),
        bar_width=max(2.0, round((length or 0) / whole_ns * 1000, 2)),
        tokens=sum(known) if known else None,
    )
