"""Tool errors: put right, taken up, or passed over."""

import pytest

from app.models.executions import ExecutionStatus
from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.runs import Run
from tests.factories.analyses import Trace, findings_in, make_run

FAILED = {"status": ExecutionStatus.FAILED}


def ignored_in(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.IGNORED_TOOL_ERRORS)


def after_an_error() -> Trace:
    return Trace().says("Let me book it.").calls("book", {}, "Error: sold out", failed=True)


def test_error_that_a_succeeded_run_says_nothing_about_is_grave() -> None:
    run = make_run(1, after_an_error().says("Your seat is booked, have a nice flight!"))
    [found] = ignored_in(run)
    assert found.severity is Severity.HIGH
    assert found.title == (
        "book failed and the agent went on as if nothing had happened in 1 of 1 run; it ended as "
        "succeeded."
    )
    assert found.evidence[0].note == "Error: sold out"


def test_error_that_a_failed_run_says_nothing_about_is_less_so() -> None:
    run = make_run(1, after_an_error().says("Your seat is booked!"), **FAILED)
    [found] = ignored_in(run)
    assert found.severity is Severity.MEDIUM
    assert found.title.endswith("it did not succeed.")


def test_error_after_which_the_tool_works_is_put_right() -> None:
    trace = after_an_error().calls("book", {"seat": 2}, "done").says("Your seat is booked!")
    run = make_run(1, trace)
    assert not ignored_in(run)
    assert not findings_in(run, kind=FindingKind.UNRESOLVED_TOOL_ERRORS)


@pytest.mark.parametrize(
    "said",
    [
        "Unfortunately the flight is sold out.",
        "I could not book it.",
        "There was a problem with your card.",
        "I couldn’t find a seat.",
    ],
)
def test_error_that_is_spoken_of_is_unresolved_at_most(said: str) -> None:
    run = make_run(1, after_an_error().says(said))
    assert not ignored_in(run)
    [found] = findings_in(run, kind=FindingKind.UNRESOLVED_TOOL_ERRORS)
    assert found.severity is Severity.LOW


def test_error_that_is_handed_on_to_another_tool_is_taken_up() -> None:
    trace = after_an_error().calls("transfer", {"summary": "Booking fails with an error."})
    assert not ignored_in(make_run(1, trace.says("You are being transferred."), **FAILED))


def test_run_that_failed_right_there_has_passed_over_nothing() -> None:
    assert not ignored_in(make_run(1, after_an_error(), **FAILED))


def test_run_that_succeeded_right_there_has() -> None:
    assert len(ignored_in(make_run(1, after_an_error()))) == 1


def test_output_of_the_run_is_its_last_word() -> None:
    assert not ignored_in(make_run(1, after_an_error(), output="Sorry, it is sold out."))
    assert ignored_in(make_run(1, after_an_error(), output="All done."))


def test_run_that_goes_on_is_not_judged_yet() -> None:
    running = make_run(1, after_an_error().says("Done!"), status=ExecutionStatus.RUNNING)
    assert not ignored_in(running)


@pytest.mark.parametrize("result", [{"error": "sold out"}, {"isError": True}, "Error: sold out"])
def test_results_that_say_so_are_errors_without_a_status(result: object) -> None:
    trace = Trace().calls("book", {}, result).says("Booked!")
    assert len(ignored_in(make_run(1, trace))) == 1


@pytest.mark.parametrize("result", [{"error": None}, "Errors found: 0", "No error", ["error"]])
def test_results_that_only_name_errors_are_none(result: object) -> None:
    assert not ignored_in(make_run(1, Trace().calls("book", {}, result).says("Booked!")))
