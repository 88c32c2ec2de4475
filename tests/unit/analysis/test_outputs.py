"""Answers that were cut off, by what was reported and by what they look like."""

from typing import Any

import pytest

from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.runs import Run
from tests.factories.analyses import Trace, findings_in, make_run

REASONS = "gen_ai.response.finish_reasons"
LONG = "This is a sentence of a decent length, as models write them when they explain things"


def cut_in(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.TRUNCATED_OUTPUTS)


def looks_cut_in(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.BREAKING_OFF)


def saying(text: str, **values: Any) -> Run:
    return make_run(1, Trace().says(text, **values))


@pytest.mark.parametrize(
    "reported",
    [
        {"attributes": {REASONS: ["length"]}},
        {"attributes": {REASONS: '["max_tokens"]'}},
        {"attributes": {"gen_ai.response.finish_reason": "MAX_TOKENS"}},
        {"attributes": {"llm.finish_reason": "length"}},
        {"output": {"role": "assistant", "content": "And", "finish_reason": "length"}},
        {"output": {"choices": [{"finish_reason": "length", "message": {"content": "And"}}]}},
        {"output_tokens": 500},
    ],
)
def test_answer_that_reached_the_limit_is_cut_off(reported: dict[str, Any]) -> None:
    [found] = cut_in(saying("And then", **reported))
    assert found.severity is Severity.HIGH
    assert "1 of 1 answer of the model was cut off at the token limit" in found.title
    assert "the last answer" in str(found.evidence[0].note)


def test_answer_in_the_middle_of_a_run_matters_less() -> None:
    trace = Trace().says("And", attributes={REASONS: ["length"]}).says("Done.")
    [found] = cut_in(make_run(1, trace))
    assert found.severity is Severity.MEDIUM
    assert found.title == "1 of 2 answers of the model was cut off at the token limit."


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (f"{LONG}, and because of the", "it ends in"),
        (f"{LONG},", "it ends in"),
        ("Run this:\n```python\nprint(1)", "a code block never closes"),
        ('{"city": "Rome", "days": [1, 2', "JSON breaks off"),
        ('["a", "b', "JSON breaks off"),
    ],
)
def test_answer_that_stops_in_the_middle_looks_cut(text: str, sign: str) -> None:
    [found] = looks_cut_in(saying(text))
    assert found.severity is Severity.LOW
    assert sign in str(found.evidence[0].note)


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"{LONG}:",
        "Thank you and",
        "```\nprint(1)\n```",
        '{"city": "Rome"}',
        "{name} is a placeholder",
        "[a note in brackets] and more",
    ],
)
def test_answer_that_ends_otherwise_does_not(text: str) -> None:
    assert not looks_cut_in(saying(text))


def test_model_that_says_it_stopped_by_itself_is_believed() -> None:
    assert not looks_cut_in(saying(f"{LONG} of the", attributes={REASONS: ["stop"]}))


def test_arguments_that_break_off_are_seen() -> None:
    function = {"name": "book", "arguments": '{"city": "Ro'}
    output = {"role": "assistant", "tool_calls": [{"id": "c1", "function": function}]}
    [found] = looks_cut_in(saying("", output=output))
    assert found.evidence[0].note == "the arguments of book break off; the last answer"


def test_output_stands_in_where_no_model_call_was_reported() -> None:
    [found] = looks_cut_in(make_run(1, None, output='{"a": [1'))
    assert (found.evidence[0].execution_id, found.evidence[0].span_id) == (1, None)
