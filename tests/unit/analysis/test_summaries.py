"""What a model is told of a report, and which of its answers are summaries."""

import json

import pytest

from app.core.completions import Completion
from app.schemas.analyses import AnalysisReport, FindingKind, Severity
from app.services.analysis.counting import Sightings
from app.services.analysis.findings import finding
from app.services.analysis.summaries import (
    MAX_FINDINGS,
    MAX_INPUT_CHARS,
    Unusable,
    call_for,
    given_of,
    parts_of,
    text_in,
)
from tests.factories.analyses import full_report, make_report


def with_findings(count: int, title: str = "book failed.") -> AnalysisReport:
    made = finding(FindingKind.FAILING_TOOL, Severity.HIGH, title, Sightings(), detail="x" * 5_000)
    return make_report().model_copy(update={"findings": [made] * count})


def answered(text: str, finish: str = "stop") -> Completion:
    completion = Completion()
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    completion.add({"id": "1", "choices": [choice]})
    return completion


def test_model_gets_the_findings_and_nothing_of_the_evidence() -> None:
    report = full_report()
    call = call_for("gpt-4o", report, given_of(report.findings))
    asked = json.dumps([message["content"] for message in call.messages])
    for number, found in enumerate(report.findings, 1):
        assert json.dumps(f'"number": {number},')[1:-1] in asked
        assert found.title in asked
    notes = {place.note for found in report.findings for place in found.evidence if place.note}
    quoted = " ".join(f"{found.title} {found.detail}" for found in report.findings)
    assert any(note not in quoted for note in notes)
    assert not [note for note in notes if note not in quoted and note in asked]


def test_what_the_model_gets_is_bounded() -> None:
    assert len(given_of(with_findings(100).findings)) <= MAX_FINDINGS
    many = given_of(with_findings(100, "y" * 5_000).findings)
    assert 0 < len(many) < MAX_FINDINGS
    assert sum(map(len, many)) <= MAX_INPUT_CHARS
    assert given_of([]) == []


@pytest.mark.parametrize(
    ("model", "limit"), [("gpt-4o", "max_tokens"), ("gpt-5-mini", "max_completion_tokens")]
)
def test_answer_is_limited_as_the_model_understands_it(model: str, limit: str) -> None:
    assert call_for(model, full_report(), []).params.keys() == {limit}


@pytest.mark.parametrize(
    ("text", "finish", "why"),
    [
        ("", "stop", "without any text"),
        ("  \n", "stop", "without any text"),
        ("All is well.", "stop", "cited none"),
        ("See [3] and [4].", "stop", "a finding that there is not: 4"),
        ("See [0].", "stop", "a finding that there is not: 0"),
        ("See [1] and", "length", "cut off"),
        ("See [1].", "content_filter", "refused"),
        ("See [1]. " + "x" * 4_000, "stop", "too long"),
    ],
    ids=["nothing", "blank", "no-citation", "stranger", "zero", "cut-off", "filtered", "endless"],
)
def test_answer_that_is_no_summary_says_why(text: str, finish: str, why: str) -> None:
    with pytest.raises(Unusable) as refused:
        text_in(answered(text, finish), 3)
    assert why in refused.value.reason


def test_refusal_is_no_summary() -> None:
    completion = Completion()
    choice = {"index": 0, "delta": {"refusal": "No, see [1]."}, "finish_reason": "stop"}
    completion.add({"id": "1", "choices": [choice]})
    with pytest.raises(Unusable, match="refused"):
        text_in(completion, 3)


def test_citations_are_found_alone_and_together() -> None:
    text = "Look at [2], then [1, 3]; not at [x] or x[12345]."
    assert text_in(answered(text), 3) == text
    parts = list(parts_of(text))
    assert [number for _, number in parts if number] == [2, 1, 3]
    assert [shown for shown, number in parts if number] == ["[2]", "[1]", "[3]"]
    assert parts[-1] == ("; not at [x] or x[12345].", None)
