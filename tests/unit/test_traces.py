"""Totals over leaf model steps, and trees out of whatever order spans arrive in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.models.spans import SpanKind, SpanStatus
from app.services.traces import (
    MAX_DEPTH,
    MAX_SEARCH_CHARACTERS,
    has_usage,
    in_tree_order,
    search_text,
    texts_in,
    totals_of,
)


@dataclass
class Span:
    """The columns that totals and trees need."""

    span_id: str | None
    parent_span_id: str | None = None
    kind: SpanKind = SpanKind.LLM
    status: SpanStatus = SpanStatus.OK
    start_ns: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: Decimal | None = None


IDS = ["a", "b", "c", "d", "e", "f"]
COUNTS = st.none() | st.integers(0, 1000)


@st.composite
def forests(draw: st.DrawFn) -> list[Span]:
    """Trees with orphans, in any order, some spans without an id."""
    count = draw(st.integers(0, len(IDS)))
    spans = []
    for i in range(count):
        parents = st.sampled_from([None, "missing", *IDS[:i]])
        span = Span(
            span_id=IDS[i],
            parent_span_id=draw(parents),
            kind=draw(st.sampled_from([SpanKind.LLM, SpanKind.EMBEDDING, SpanKind.TOOL])),
            input_tokens=draw(COUNTS),
            cost=draw(st.none() | st.decimals(0, 10, places=3)),
        )
        spans.append(span)
    nameless = draw(st.lists(st.builds(Span, st.none(), input_tokens=COUNTS), max_size=2))
    return draw(st.permutations(spans + nameless))


def is_below(span: Span, ancestor: Span, spans: Sequence[Span]) -> bool:
    parents = [s for s in spans if s.span_id is not None and s.span_id == span.parent_span_id]
    return any(p is ancestor or is_below(p, ancestor, spans) for p in parents)


def brute_force(spans: Sequence[Span], field: str) -> object:
    """The definition: model steps with usage that have no such step below them."""
    with_usage = [span for span in spans if has_usage(span)]
    leaves = [
        span
        for span in with_usage
        if not any(is_below(other, span, spans) for other in with_usage if other is not span)
    ]
    known = [getattr(leaf, field) for leaf in leaves if getattr(leaf, field) is not None]
    return sum(known) if known else None


@given(forests())
def test_totals_are_the_sums_over_leaf_model_steps(spans: list[Span]) -> None:
    totals = totals_of(spans)
    assert totals.input_tokens == brute_force(spans, "input_tokens")
    assert totals.cost == brute_force(spans, "cost")


def test_parent_that_repeats_its_children_counts_once() -> None:
    child = Span("c", "p", input_tokens=10, cost=Decimal("0.1"))
    parent = Span("p", input_tokens=10, cost=Decimal("0.1"))
    assert totals_of([child, parent]).input_tokens == 10
    assert totals_of([parent, replace(child, kind=SpanKind.TOOL)]).cost == Decimal("0.1")


def test_grandparent_that_repeats_counts_once_too() -> None:
    spans = [
        Span("p", input_tokens=10),
        Span("m", "p", kind=SpanKind.CHAIN),
        Span("c", "m", input_tokens=10),
    ]
    assert totals_of(spans).input_tokens == 10


def test_unknown_is_not_zero_and_zero_is_known() -> None:
    assert totals_of([]).cost is None
    assert totals_of([Span("a", input_tokens=5)]).cost is None
    assert totals_of([Span("a", cost=Decimal(0))]).cost == 0
    assert totals_of([Span("a", output_tokens=0)]).output_tokens == 0


@given(
    st.lists(
        st.builds(
            Span,
            st.sampled_from(IDS),
            st.sampled_from([None, "missing", *IDS]),
            start_ns=st.integers(0, 9),
        ),
        unique_by=lambda span: span.span_id,
    )
)
def test_tree_holds_each_span_once_whatever_cycles_there_are(spans: list[Span]) -> None:
    ordered = in_tree_order(spans)
    assert sorted(s.span_id for s, _ in ordered) == sorted(str(s.span_id) for s in spans)
    assert all(0 <= depth <= MAX_DEPTH for _, depth in ordered)


def test_tree_is_depth_first_with_siblings_by_start() -> None:
    spans = [
        Span("late", "root", start_ns=30),
        Span("orphan", "missing", start_ns=5),
        Span("leaf", "early", start_ns=40),
        Span("early", "root", start_ns=20),
        Span("root", start_ns=10),
    ]
    order = [(span.span_id, depth) for span, depth in in_tree_order(spans)]
    assert order == [("orphan", 0), ("root", 0), ("early", 1), ("leaf", 2), ("late", 1)]


def test_very_deep_tree_is_drawn_no_deeper_than_the_limit() -> None:
    chain = [Span(str(i), str(i - 1), start_ns=i) for i in range(3000)]
    assert [depth for _, depth in in_tree_order(chain)][-1] == MAX_DEPTH


def test_words_are_the_texts_without_the_keys() -> None:
    value = {"key": ["one", {"inner": "two"}, 3, None, True]}
    assert list(texts_in(value)) == ["one", "two"]


def test_words_are_bounded() -> None:
    assert len(search_text(["x" * 10**6])) == MAX_SEARCH_CHARACTERS
    assert len(search_text(["word"] * 10**5)) <= MAX_SEARCH_CHARACTERS
