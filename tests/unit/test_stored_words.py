"""What is read from steps that are stored as OpenTelemetry sent them."""

import json
from typing import Any

import pytest

from app.models import Span, SpanBody
from app.models.spans import SpanKind, SpanStatus
from app.services.analysis.runs import StepRow, step_of
from app.services.ingestion.dialects import read_span
from app.services.ingestion.stored_words import words_of
from app.services.spans import full_span, in_json
from tests.load.normaliser import CASES, span_of

ASKED = [{"role": "user", "content": "Where is it?"}]
SENT = {"gen_ai.input.messages": json.dumps(ASKED), "gen_ai.tool.call.arguments": '{"n": 1}'}
EVENTS = [
    {"name": "gen_ai.choice", "time_ns": 1, "attributes": {"message": '{"content": "Here."}'}}
]
ANSWERED = [{"role": "assistant", "content": "Here."}]


@pytest.mark.parametrize("name", CASES)
def test_words_are_the_same_from_what_is_stored_as_from_what_was_sent(name: str) -> None:
    facts = read_span(span_of(CASES[name]))
    stored = json.loads(json.dumps(facts.attributes, sort_keys=True))  # in another order, as jsonb
    words = words_of(facts.kind, stored, None)
    assert (words.input, words.output) == (facts.input, facts.output)


def test_step_is_read_from_its_attributes_and_events() -> None:
    full = full_span(Span(kind=SpanKind.LLM), SpanBody(origin_id=1, attributes=SENT, events=EVENTS))
    assert (full.input, full.output) == (ASKED, ANSWERED)


def test_words_that_were_stored_apart_stand() -> None:
    """As those of every step were until they were kept once."""
    body = SpanBody(origin_id=1, attributes=SENT, events=EVENTS, input="asked", output=None)
    full = full_span(Span(kind=SpanKind.LLM), body)
    assert (full.input, full.output) == ("asked", None)


def row_of(**values: Any) -> StepRow:
    empty: dict[str, Any] = dict.fromkeys(StepRow._fields)
    known = {"span_id": b"1" * 8, "status": SpanStatus.OK, "start_ns": 1, "is_whole": True}
    return StepRow(**empty | {"execution_id": 1, "name": "x", "most_input": 100} | known | values)


def test_analysis_reads_the_same_step_from_both_forms() -> None:
    raw = row_of(kind="llm", raw=json.dumps([SENT, EVENTS]))
    apart = row_of(kind="llm", input=json.dumps(ASKED), output=json.dumps(ANSWERED))
    assert step_of(raw) == step_of(apart)
    assert step_of(raw._replace(most_input=10)) == step_of(apart._replace(input=None))


@pytest.mark.parametrize("is_ascii", [True, False])
def test_words_are_found_in_json_that_is_kept_as_text(is_ascii: bool) -> None:
    said = 'The "Öde"\nis long.'
    sent = {"gen_ai.input.messages": json.dumps([{"content": said}], ensure_ascii=is_ascii)}
    for stored in (sent, [{"content": said}]):  # as text of jsonb, which is no ASCII
        text = json.dumps(stored, ensure_ascii=False)
        assert any(form in text for form in in_json(said))
