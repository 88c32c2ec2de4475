"""Revisions beside each other, without more precision than the runs allow."""

from decimal import Decimal
from typing import Any

from app.models.executions import ExecutionStatus
from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.revisions import wilson
from app.services.analysis.runs import Revision, Run
from tests.factories.analyses import findings_in, make_report, make_run


def runs_of(number: int, count: int, failed: int = 0, **values: Any) -> list[Run]:
    revision = Revision(number, {}, None)
    statuses = [ExecutionStatus.FAILED] * failed + [ExecutionStatus.SUCCEEDED] * (count - failed)
    return [
        make_run(number * 1_000 + place, None, status=status, revision=revision, **values)
        for place, status in enumerate(statuses)
    ]


def differences(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.REVISION_DIFFERENCE)


def test_revision_that_fails_more_often_is_found() -> None:
    [found] = differences(*runs_of(1, 40, 4), *runs_of(2, 50, 25))
    assert found.severity is Severity.HIGH
    assert found.title == (
        "Revision 2 fails more often than revision 1: 25 of 50 runs (50 %) against 4 of 40 runs "
        "(10 %)."
    )
    assert all(place.execution_id >= 2_000 for place in found.evidence)


def test_revision_that_fails_less_often_is_good_news() -> None:
    [found] = differences(*runs_of(1, 40, 30), *runs_of(2, 40, 5))
    assert found.severity is Severity.INFO
    assert "less often" in found.title


def test_difference_that_chance_explains_is_none() -> None:
    assert not differences(*runs_of(1, 40, 4), *runs_of(2, 40, 7))


def test_few_runs_are_said_to_be_few() -> None:
    [found] = differences(*runs_of(1, 40, 4), *runs_of(2, 19, 19))
    assert found.severity is Severity.INFO
    assert found.title == (
        "Revision 2 ended 19 runs and revision 1 ended 40: too few to tell them apart."
    )
    few, many = make_report(*runs_of(1, 40, 4), *runs_of(2, 19, 19)).revisions
    assert (few.number, few.few_runs, many.few_runs) == (2, True, False)


def test_slower_and_dearer_revisions_are_found() -> None:
    old = runs_of(1, 30, latency_ms=1_000, cost=Decimal("0.01"))
    new = runs_of(2, 30, latency_ms=2_500, cost=Decimal("0.03"))
    slower, dearer = differences(*old, *new)
    assert slower.title == (
        "Revision 2 is slower than revision 1: the median run takes 2.5 s against 1.0 s (30 and "
        "30 runs)."
    )
    assert "the median run is $0.030 against $0.010" in dearer.title


def test_only_runs_that_ended_count() -> None:
    running = [
        make_run(n, None, status=ExecutionStatus.RUNNING, revision=Revision(2, {}, None))
        for n in range(50)
    ]
    assert not differences(*runs_of(1, 40, 4), *running)
    newest = make_report(*runs_of(1, 40, 4), *running).revisions[0]
    assert (newest.runs, newest.ended, newest.failure_rate) == (50, 0, None)


def test_runs_of_no_known_revision_stand_last() -> None:
    rows = make_report(*runs_of(1, 2), make_run(9, None, revision=None)).revisions
    assert [row.number for row in rows] == [1, None]


def test_interval_is_wilsons() -> None:
    assert wilson(0, 10) == (0.0, 0.2775)
    assert wilson(10, 100) == (0.0552, 0.1744)
    assert wilson(84, 120) == (0.6128, 0.7747)
