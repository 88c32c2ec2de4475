"""Requests to ``/v1/traces``: cut, joined, refused in part, as a whole, or for now."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.importers.client import ApiError
from app.importers.spans import (
    EVENTS,
    MIN_SPANS,
    Exporter,
    Part,
    SpanTally,
    halves,
    item_count,
    joined,
)
from tests.unit.importers.remote import Answer, Remote, answer

Json = dict[str, Any]
FILE = Path("traces.jsonl")
GOOD = answer(200, {})


def request(*counts: int) -> Json:
    """An entry of ``resourceSpans`` for each count, with so many spans under each of two scopes."""
    entries = [
        {
            "resource": {"attributes": [], "number": number},
            "scopeSpans": [
                {"scope": {"name": scope}, "spans": [{"spanId": f"{i:016x}"} for i in range(count)]}
                for scope in ("first", "second")
            ],
        }
        for number, count in enumerate(counts)
    ]
    return {"resourceSpans": entries}


def part(*counts: int, line: int = 1) -> Part:
    return Part(FILE, [(line, request(*counts))])


def refused(status: int, message: str) -> Answer:
    return answer(status, {"code": 3, "message": message})


def exporter(remote: Remote) -> Exporter:
    return Exporter(remote.api, SpanTally(), remote.said.append)


def located(found: Json) -> list[tuple[int, str, str]]:
    return [
        (entry["resource"]["number"], scope["scope"]["name"], span["spanId"])
        for entry in found["resourceSpans"]
        for scope in entry["scopeSpans"]
        for span in scope["spans"]
    ]


def singles(found: Json) -> list[Json]:
    cut = halves(found)
    return [one for half in cut for one in singles(half)] if cut else [found]


def test_cutting_keeps_each_span_with_its_resource_and_scope_in_order() -> None:
    whole = request(3, 1, 4)
    pieces = singles(whole)
    assert [item_count(piece) for piece in pieces] == [1] * item_count(whole)
    assert [place for piece in pieces for place in located(piece)] == located(whole)


def test_names_of_plain_protobuf_json_are_understood() -> None:
    spans = [{"span_id": "a"}, {"span_id": "b"}]
    found = {"resource_spans": [{"scope_spans": [{"spans": spans}]}]}
    assert item_count(found) == 2
    assert [item_count(half) for half in halves(found)] == [1, 1]
    body = json.loads(Part(FILE, [(1, found)]).body())
    assert body == {"resourceSpans": found["resource_spans"]}


@pytest.mark.parametrize("found", [None, 1, [], {}, {"resourceSpans": {}}, {"resourceSpans": [1]}])
def test_what_has_another_shape_has_no_spans_and_no_halves(found: Any) -> None:
    assert item_count(found) == 0
    assert halves(found) == []


def test_small_requests_go_together_and_large_ones_alone() -> None:
    parts = [part(MIN_SPANS), *(part(1, line=line) for line in range(2, 5))]
    found = list(joined(parts))
    assert [one.where for one in found] == ["traces.jsonl, line 1", "traces.jsonl, lines 2 to 4"]
    assert sum(one.count for one in found) == sum(one.count for one in parts)


def test_spans_go_to_the_path_of_opentelemetry(remote: Remote) -> None:
    remote.told.answers = [GOOD]
    sender = exporter(remote)
    sender.send(part(2))
    assert remote.told.paths == ["/v1/traces"]
    assert json.loads(remote.told.bodies[0]) == request(2)
    assert sender.tally.summary == "Spans: 4 stored, 0 refused"


def test_events_go_to_the_path_of_logs_in_requests_of_their_own(remote: Remote) -> None:
    refused_one = {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "No trace id."}}
    remote.told.answers = [answer(200, refused_one), GOOD]
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"spanId": "a"}]}]}]}
    found = list(
        joined([Part(FILE, [(1, logs)], EVENTS), part(1, line=2), Part(FILE, [(3, logs)], EVENTS)])
    )
    assert [one.where for one in found] == ["traces.jsonl, lines 1 to 3", "traces.jsonl, line 2"]
    sender = exporter(remote)
    for one in found:
        sender.send(one)
    assert remote.told.paths == ["/v1/logs", "/v1/traces"]
    assert json.loads(remote.told.bodies[0]) == {"resourceLogs": logs["resourceLogs"] * 2}
    assert sender.tally.summary == ("Spans: 2 stored, 0 refused; GenAI events: 1 stored, 1 refused")


def test_what_the_server_refuses_in_part_is_told_with_its_reason(remote: Remote) -> None:
    partial = {"rejectedSpans": "3", "errorMessage": "The trace id must be 16 bytes."}
    remote.told.answers = [answer(200, {"partialSuccess": partial})]
    sender = exporter(remote)
    sender.send(part(2, line=7))
    assert sender.tally.summary == "Spans: 1 stored, 3 refused"
    assert sender.tally.told == [
        "traces.jsonl, line 7: 3 of 4 refused. The trace id must be 16 bytes."
    ]


def test_warning_of_a_server_that_took_all_is_passed_on(remote: Remote) -> None:
    remote.told.answers = [answer(200, {"partialSuccess": {"errorMessage": "Clocks differ."}})]
    sender = exporter(remote)
    sender.send(part(1))
    assert (sender.tally.summary, sender.tally.told) == ("Spans: 2 stored, 0 refused", [])
    assert remote.said == ["traces.jsonl, line 1: Clocks differ."]


def test_request_that_is_too_large_goes_in_pieces_and_the_next_one_at_once(remote: Remote) -> None:
    remote.told.answers = [refused(413, "Too large."), *[GOOD] * 4]
    sender = exporter(remote)
    sender.send(part(1, 1))
    assert len(remote.told.bodies) == 3
    sender.send(part(1, 1))
    assert sender.tally.summary == "Spans: 8 stored, 0 refused"
    assert len(remote.told.bodies) == 5


def test_span_that_spoils_a_request_is_found_and_its_line_is_named(remote: Remote) -> None:
    bad = refused(400, "attributes must be a list.")
    remote.told.answers = [bad, GOOD, bad, GOOD, bad]
    sender = exporter(remote)
    sender.send(Part(FILE, [(1, request(1)), (2, request(1))]))
    assert sender.tally.summary == "Spans: 3 stored, 1 refused"
    assert sender.tally.told == ["traces.jsonl, line 2: 1 of 1 refused. attributes must be a list."]


def test_busy_server_is_waited_for(remote: Remote) -> None:
    remote.told.answers = [
        answer(503, {"code": 14, "message": "Too many requests wait."}, Retry_After="2"),
        GOOD,
    ]
    sender = exporter(remote)
    sender.send(part(1))
    assert (sender.tally.summary, remote.pauses) == ("Spans: 2 stored, 0 refused", [2])
    assert "answers 503: Too many requests wait." in remote.said[0]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (refused(401, "Send an API key."), "Send an API key."),
        (answer(200, {"partialSuccess": 7}), "does not say how many"),
        (answer(200, {"partialSuccess": {"rejectedSpans": "x"}}), "does not say how many"),
    ],
)
def test_server_that_cannot_be_used_ends_it(remote: Remote, told: Answer, message: str) -> None:
    remote.told.answers = [told]
    with pytest.raises(ApiError, match=message):
        exporter(remote).send(part(1))
