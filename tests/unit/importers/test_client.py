"""The client against a real HTTP server on loopback that answers as it is told."""

import json
from datetime import UTC, datetime

import pytest

from app.importers.client import (
    PAUSES_S,
    ApiError,
    Greenroom,
    Item,
    origin_of,
    retry_after_s,
)
from app.importers.run_commands import batches_of
from tests.unit.importers.remote import Answer, Remote, answer

NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)


def problem(status: int, message: str, **headers: str) -> Answer:
    return answer(status, {"error": {"code": "X", "message": message, "details": []}}, **headers)


def items(count: int, size: int = 10) -> list[Item]:
    return [Item(f"Run {n + 1}", f"run-{n}", b'"' + b"x" * (size - 2) + b'"') for n in range(count)]


def stored(*statuses: int) -> Answer:
    entries = [
        {"index": i, "status": status, "error": {"message": "Too odd.", "details": []}}
        for i, status in enumerate(statuses)
    ]
    return answer(200, {"items": entries})


def test_batch_is_sent_as_one_body_and_counted(remote: Remote) -> None:
    remote.told.answers = [stored(201, 200, 409)]
    tally = remote.api.record(items(3))
    assert (tally.created, tally.known) == (1, 1)
    assert tally.refused == ["Run 3 (run-2): Too odd."]
    assert json.loads(remote.told.bodies[0]) == {"items": ["x" * 8] * 3}


def test_later_is_waited_for_as_long_as_the_server_asks(remote: Remote) -> None:
    remote.told.answers = [
        problem(503, "Too busy.", Retry_After="7"),
        problem(429, "Slower."),
        stored(201),
    ]
    assert remote.api.record(items(1)).created == 1
    assert remote.pauses == [7, PAUSES_S[1]]
    assert "answers 503: Too busy." in remote.said[0]
    assert "Trying again in 7 s" in remote.said[0]


def test_tries_are_bounded(remote: Remote) -> None:
    remote.told.answers = [problem(502, "Down.")] * 20
    with pytest.raises(ApiError, match="Gave up after 8 tries"):
        remote.api.record(items(1))
    assert remote.pauses == list(PAUSES_S)


def test_too_long_a_wait_is_reported_instead(remote: Remote) -> None:
    remote.told.answers = [problem(429, "Tomorrow.", Retry_After="86400")]
    with pytest.raises(ApiError, match="come back in 86,400 s"):
        remote.api.record(items(1))
    assert remote.pauses == []


def test_server_that_is_not_there_is_tried_again(remote: Remote) -> None:
    with Greenroom("http://127.0.0.1:1", "gr_key", remote.said.append, remote.pauses.append) as api:
        with pytest.raises(ApiError, match="Cannot reach"):
            api.find_agents("support-bot")
        assert remote.pauses == list(PAUSES_S)


def test_refused_batch_is_sent_in_halves_until_the_item_is_found(remote: Remote) -> None:
    bad = problem(422, "Some of the input is not valid.")
    remote.told.answers = [bad, stored(201, 201), bad, bad, stored(201)]
    tally = remote.api.record(items(4))
    assert tally.created == 3
    assert tally.refused == ["Run 3 (run-2): Some of the input is not valid."]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_other_refusals_end_the_import_in_the_servers_words(remote: Remote, status: int) -> None:
    remote.told.answers = [problem(status, "Send an API key.")]
    with pytest.raises(ApiError, match=r"Send an API key\."):
        remote.api.record(items(2))
    assert len(remote.told.bodies) == 1


@pytest.mark.parametrize("text", ["<html>", "[]", '{"items": 1}', '{"items": [{"index": 0}]}'])
def test_answers_of_something_else_are_recognised(remote: Remote, text: str) -> None:
    remote.told.answers = [(200, {}, text)]
    with pytest.raises(ApiError):
        remote.api.record(items(1))


def test_fields_that_the_server_names_are_told(remote: Remote) -> None:
    details = [{"field": "name", "message": "is too short"}]
    error = {"code": "X", "message": "Not valid.", "details": details}
    remote.told.answers = [answer(422, {"error": error})]
    with pytest.raises(ApiError, match=r"Not valid\. name: is too short"):
        remote.api.create_tool({"name": "x"})


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://x:99999", "http://["])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ApiError, match="is not an address"):
        origin_of(url)


def test_address_may_end_with_the_path_of_the_api() -> None:
    assert origin_of("http://localhost:8000/api/v1/") == "http://localhost:8000"


@pytest.mark.parametrize("key", ["", "gr_ä", "gr_\nx"])
def test_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(ApiError, match="API key"):
        Greenroom("http://localhost", key, print)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("soon", None),
        ("Sun, 01 Nov 2026 10:00:20 GMT", 20.0),
        ("Sun, 01 Nov 2026 09:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


def test_batches_are_bounded_by_count_and_by_bytes() -> None:
    assert [len(batch) for batch in batches_of(items(5), 2, 1000)] == [2, 2, 1]
    assert [len(batch) for batch in batches_of(items(5, 400), 20, 1000)] == [2, 2, 1]
    assert [len(batch) for batch in batches_of(items(2, 4000), 20, 1000)] == [1, 1]
    assert list(batches_of([], 20, 1000)) == []
