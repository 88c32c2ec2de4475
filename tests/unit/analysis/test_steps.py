"""Where time and money go: own times, costs counted once, runs out of the ordinary."""

from decimal import Decimal
from itertools import pairwise

from app.models.spans import SpanKind
from app.schemas.analyses import FindingKind
from app.services.analysis.runs import Step
from app.services.analysis.steps import own_time
from tests.factories.analyses import SECOND_NS, Trace, findings_in, make_report, make_run


def step(start: int, end: int | None) -> Step:
    parts = Trace().step(
        SpanKind.CHAIN,
        "part",
        start_ns=start * SECOND_NS,
        end_ns=None if end is None else end * SECOND_NS,
    )
    return parts.steps[0]


def test_own_time_leaves_out_what_ran_below() -> None:
    assert own_time(step(0, 10), [step(1, 3), step(5, 6)]) == 7 * SECOND_NS


def test_steps_below_that_overlap_are_counted_once() -> None:
    assert own_time(step(0, 10), [step(2, 6), step(1, 3), step(5, 8)]) == 3 * SECOND_NS


def test_steps_below_that_outlast_the_step_are_cut() -> None:
    assert own_time(step(2, 10), [step(0, 4), step(9, 30), step(5, None)]) == 5 * SECOND_NS


def test_slowest_steps_are_grouped_and_point_at_the_slowest() -> None:
    trace = Trace().step(SpanKind.AGENT, "run", start_ns=SECOND_NS, end_ns=20 * SECOND_NS)
    root = trace.steps[0].span_id
    for seconds in (1, 4, 2):
        start = len(trace.steps) * 5 * SECOND_NS
        end = start + seconds * SECOND_NS
        trace.calls("book", {"n": seconds}, start_ns=start, end_ns=end, parent_span_id=root)
    agent, book = make_report(make_run(7, trace)).slow_steps
    assert (agent.name, agent.own_ms, agent.share) == ("run", 12_000, 0.6316)
    assert (book.name, book.steps, book.own_ms, book.slowest_ms) == ("book", 3, 7_000, 4_000)
    assert (book.slowest.execution_id, book.slowest.span_id) == (7, "0000000000000003")


def test_times_that_are_made_up_say_nothing() -> None:
    report = make_report(make_run(1, Trace().says("hi"), has_made_up_times=True))
    assert report.slow_steps == []
    assert report.scope.made_up_times == 1


def test_parents_that_repeat_the_cost_of_their_steps_are_left_out() -> None:
    trace = Trace().says("", cost=Decimal("0.5"), model_name="router")
    parent = trace.steps[0].span_id
    trace.says("", cost=Decimal("0.3"), model_name="gpt-4o", parent_span_id=parent)
    trace.says("", input_tokens=5, model_name="gpt-4o", parent_span_id=parent)
    [row] = make_report(make_run(1, trace)).costly_steps
    assert (row.name, row.steps, row.unpriced, row.cost) == ("gpt-4o", 2, 1, Decimal("0.3"))


def test_unknown_cost_is_not_zero() -> None:
    report = make_report(make_run(1), make_run(2, cost=Decimal(0)))
    assert (report.cost_usd.known, report.cost_usd.unknown) == (1, 1)
    assert [(bar.low, bar.high, bar.count) for bar in report.cost_usd.bars] == [(0, 0, 1)]
    assert make_report(make_run(1)).cost_usd.total is None


def test_runs_out_of_the_ordinary_are_found() -> None:
    usual = [make_run(n, latency_ms=1_000, cost=Decimal("0.01")) for n in range(1, 20)]
    odd = make_run(20, latency_ms=60_000, cost=Decimal("2.5"))
    [slow] = findings_in(*usual, odd, kind=FindingKind.SLOW_RUNS)
    assert slow.title == (
        "1 run took more than 10 times as long as usual: up to 60.0 s, where the median is 1.0 s."
    )
    [costly] = findings_in(*usual, odd, kind=FindingKind.COSTLY_RUNS)
    assert "up to $2.50, where the median is $0.010" in costly.title
    assert [place.execution_id for place in costly.evidence] == [20]
    assert not findings_in(*usual[:18], odd, kind=FindingKind.SLOW_RUNS), "19 runs are few"


def test_bars_hold_every_run_once() -> None:
    values = [0, 1, 9, 10, 14, 15, 99, 100, 70_000]
    report = make_report(*(make_run(n, latency_ms=v) for n, v in enumerate(values)))
    bars = report.latency_ms.bars
    assert sum(bar.count for bar in bars) == len(values)
    for bar in bars[1:]:
        assert bar.count == sum(bar.low <= value < bar.high for value in values)
    assert all(one.high == other.low for one, other in pairwise(bars[1:]))
