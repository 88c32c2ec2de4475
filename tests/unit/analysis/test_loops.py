"""The same call again and again: told, counted, and kept apart from waiting."""

from typing import Any

from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.runs import Run
from tests.factories.analyses import Trace, findings_in, make_run


def loops_in(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.REPEATED_CALLS)


def repeating(times: int, *results: Any, run_id: int = 1) -> Run:
    """A run that asks for the same weather so often, and gets these results in turn."""
    trace = Trace()
    for place in range(times):
        trace.calls("weather", {"city": "Rome", "day": 1}, results[place % len(results)])
    return make_run(run_id, trace)


def test_three_equal_calls_with_one_result_are_a_loop() -> None:
    [found] = loops_in(repeating(3, "sunny"), repeating(1, "sunny", run_id=2))
    assert found.severity is Severity.MEDIUM
    assert found.title == (
        "weather was called 3 times with the same arguments in 1 of 2 runs; the result was the "
        "same every time."
    )
    [place] = found.evidence
    assert (place.execution_id, place.span_id) == (1, "0000000000000003")
    assert place.note == "3 calls, the same result each time"


def test_two_equal_calls_are_none() -> None:
    assert not loops_in(repeating(2, "sunny"))


def test_other_arguments_make_another_call() -> None:
    trace = Trace()
    for day in range(5):
        trace.calls("weather", {"city": "Rome", "day": day})
    assert not loops_in(make_run(1, trace))


def test_order_of_arguments_and_case_of_names_make_no_difference() -> None:
    trace = Trace()
    trace.calls("weather", {"a": 1, "b": 2}).calls("Weather", {"b": 2, "a": 1})
    trace.says("Hm.").calls("weather", {"b": 2, "a": 1})
    assert len(loops_in(make_run(1, trace))) == 1


def test_results_that_differ_may_be_waiting() -> None:
    [found] = loops_in(repeating(5, "queued", "running", "done"))
    assert found.severity is Severity.LOW
    assert "the results differed" in found.title
    assert found.evidence[0].note == "5 calls, 3 different results"


def test_results_that_are_not_known_are_not_called_equal() -> None:
    [found] = loops_in(repeating(3, None))
    assert found.severity is Severity.LOW
    assert "the results were not reported" in found.title


def test_arguments_that_are_not_known_equal_no_others() -> None:
    trace = Trace()
    for _ in range(4):
        trace.calls("weather", None)
    assert not loops_in(make_run(1, trace))


def test_calls_that_only_messages_tell_of_count_as_well() -> None:
    trace = Trace()
    for place in range(3):
        function = {"name": "weather", "arguments": '{"city": "Rome"}'}
        call = {"id": f"c{place}", "type": "function", "function": function}
        output = {"role": "assistant", "content": None, "tool_calls": [call]}
        trace.says("", output=output)
    assert len(loops_in(make_run(1, trace))) == 1


def test_runs_that_went_round_in_circles_come_first_and_failures_are_counted() -> None:
    failing = Trace()
    for _ in range(4):
        failing.calls("weather", {}, "Error: no such city", failed=True)
    [found] = loops_in(repeating(9, "a", "b"), make_run(2, failing), repeating(3, "x", run_id=3))
    assert [place.execution_id for place in found.evidence] == [2, 3, 1]
    assert found.evidence[0].note == "4 calls, the same result each time, all failed"
    assert "in 2 of 3 cases the result was the same every time" in found.title
