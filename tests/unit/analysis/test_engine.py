"""The whole report: the same runs give the same bytes, in whatever parts they are counted."""

import pickle
from collections.abc import Callable
from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.executions import ExecutionStatus
from app.schemas.analyses import AnalysisRequest, FindingKind, Severity
from app.services.analysis.engine import Asked, Part, part_of, report_of
from app.services.analysis.runs import Revision, Run
from tests.factories.analyses import (
    REVISION,
    Trace,
    full_report,
    make_report,
    make_run,
    telling_run,
)

ASKED = Asked(1, AnalysisRequest(), more_runs=False)
Add = Callable[[Trace], Trace]
STEPS: list[Add] = [
    lambda trace: trace.says("Fine.", input_tokens=4_000, cost=Decimal("0.001")),
    lambda trace: trace.says("Sorry, that failed", output_tokens=500),
    lambda trace: trace.says('{"cut": [1', input=[{"role": "user"}], input_characters=40),
    lambda trace: trace.calls("weather", {"city": "Rome"}, {"sun": 1}),
    lambda trace: trace.calls("weather", {}, "Error: which city?", failed=True),
    lambda trace: trace.calls("fly", {"to": "Rome"}, len(trace.steps)),
]


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    found = []
    for run_id in range(1, draw(st.integers(1, 12)) + 1):
        trace = Trace()
        for add in draw(st.lists(st.sampled_from(STEPS), max_size=9)):
            add(trace)
        found.append(
            make_run(
                run_id,
                trace,
                status=draw(st.sampled_from(ExecutionStatus)),
                error=draw(st.sampled_from([None, "Timeout", "Refused"])),
                latency_ms=draw(st.one_of(st.none(), st.integers(0, 10**6))),
                cost=draw(st.one_of(st.none(), st.decimals(0, 9, places=6))),
                revision=draw(st.sampled_from([None, REVISION, Revision(2, {}, None)])),
                has_made_up_times=draw(st.booleans()),
            )
        )
    return found


@settings(max_examples=40, deadline=None)
@given(runs(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_parts_in_any_order_make_the_report_of_the_whole(
    found: list[Run], parts: int, random: Random
) -> None:
    whole = report_of(part_of(found), ASKED).model_dump_json()
    shuffled = random.sample(found, len(found))
    pieces = [part_of(shuffled[start::parts]) for start in range(parts)]
    merged = Part()
    for piece in pieces:
        # As it comes from another process.
        merged.merge(pickle.loads(pickle.dumps(piece)))  # noqa: S301  (of our own making)
    assert report_of(merged, ASKED).model_dump_json() == whole


def test_report_of_the_same_runs_is_the_same_to_the_byte() -> None:
    first, second = (make_report(*map(telling_run, range(1, 31))) for _ in range(2))
    assert first.model_dump_json() == second.model_dump_json()


def test_nothing_to_look_at_is_a_report_too() -> None:
    report = make_report()
    assert (report.scope.runs, report.findings, report.revisions) == (0, [], [])


def test_findings_come_worst_first_and_cite_where_to_look() -> None:
    report = full_report()
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert {finding.kind for finding in report.findings} >= {
        FindingKind.FAILURES,
        FindingKind.REPEATED_CALLS,
        FindingKind.BROKEN_ARGUMENTS,
        FindingKind.TRUNCATED_OUTPUTS,
        FindingKind.IGNORED_TOOL_ERRORS,
        FindingKind.GROWING_CONTEXT,
        FindingKind.UNUSED_TOOLS,
        FindingKind.UNKNOWN_TOOL,
        FindingKind.REVISION_DIFFERENCE,
    }
    for finding in report.findings:
        assert finding.title[-1] == ".", finding.title
        assert len(finding.evidence) <= 20
        assert finding.total >= len(finding.evidence)
        assert finding.runs <= finding.total


def test_percentages_are_only_of_enough() -> None:
    few = [make_run(n, status=ExecutionStatus.FAILED) for n in range(1, 4)]
    [failures] = [f for f in make_report(*few).findings if f.kind is FindingKind.FAILURES]
    assert failures.title == "3 of 3 runs failed."
    assert failures.severity is Severity.MEDIUM


def test_report_stays_small_however_many_runs_there_are() -> None:
    report = make_report(*map(telling_run, range(1, 400)))
    assert len(report.model_dump_json()) < 60_000
