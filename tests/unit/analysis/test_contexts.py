"""The growth of the input: in tokens where they are known, in characters where not."""

import json
from typing import Any

from app.schemas.analyses import ContextUnit, FindingKind, Severity
from app.services.analysis.runs import Run
from tests.factories.analyses import Trace, findings_in, make_report, make_run

QUESTION = {"role": "user", "content": "x" * 1_000}
ANSWER = {"role": "assistant", "content": "y" * 9_000}


def with_tokens(*sizes: int) -> Run:
    trace = Trace()
    for size in sizes:
        trace.says("ok", input_tokens=size)
    return make_run(1, trace)


def with_inputs(*inputs: Any) -> Run:
    trace = Trace()
    for value in inputs:
        trace.says("", input=value, input_characters=len(json.dumps(value)), output=ANSWER)
    return make_run(1, trace)


def test_growth_is_shown_by_call() -> None:
    [growth] = make_report(with_tokens(100, 250, 300), with_tokens(100)).contexts
    assert (growth.unit, growth.runs) == (ContextUnit.TOKENS, 2)
    assert [(p.call, p.runs, p.p50, p.highest) for p in growth.points] == [
        (1, 2, 100, 100),
        (2, 1, 250, 250),
        (3, 1, 300, 300),
    ]


def test_input_that_multiplies_is_found() -> None:
    [found] = findings_in(
        with_tokens(2_000, 4_000, 9_000, 14_000, 16_000), kind=FindingKind.GROWING_CONTEXT
    )
    assert found.severity is Severity.LOW
    assert "to 16,000 tokens at the most" in found.title
    [place] = found.evidence
    assert place.note == "2,000 to 16,000 tokens in 5 calls, 8 times as many"
    assert place.span_id == "0000000000000005"


def test_input_that_grows_little_or_stays_small_is_none() -> None:
    for sizes in ((2_000, 3_000, 5_000, 7_000, 7_999), (10, 20, 30, 40, 900), (1, 90_000)):
        assert not findings_in(with_tokens(*sizes), kind=FindingKind.GROWING_CONTEXT)


def test_characters_stand_in_and_say_so() -> None:
    runs = [with_inputs([QUESTION] * size) for size in (1, 2)]
    [growth] = make_report(*runs).contexts
    assert growth.unit is ContextUnit.CHARACTERS
    long = with_inputs(*([QUESTION] * 10 * times for times in range(1, 7)))
    [found] = findings_in(long, kind=FindingKind.GROWING_CONTEXT)
    assert str(found.detail).startswith("No tokens were reported")


def test_inputs_that_hold_the_whole_history_are_taken_as_they_are() -> None:
    first, second = [QUESTION], [QUESTION, ANSWER, QUESTION]
    [growth] = make_report(with_inputs(first, second)).contexts
    assert growth.points[1].highest == len(json.dumps(second))


def test_what_was_said_before_is_added_where_only_news_were_reported() -> None:
    news = [{"role": "user", "content": "And now?"}]
    [growth] = make_report(with_inputs([QUESTION], news)).contexts
    assert growth.points[1].highest > len(json.dumps([QUESTION])) + 9_000


def test_run_whose_tokens_are_known_in_part_is_not_mixed() -> None:
    trace = Trace().says("a", input_tokens=10).says("b")
    assert make_report(make_run(1, trace)).contexts == []
