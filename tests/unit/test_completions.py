"""Pieces of chat completions are put together, also where a server departs from the format."""

from typing import Any

import pytest

from app.core.completions import Completion, Malformed, TokenUsage, WantedCall, clean


def completion_of(*deltas: Any, **fields: Any) -> Completion:
    """The completion that these deltas of the first choice make."""
    completion = Completion()
    for delta in deltas:
        completion.add({"choices": [{"index": 0, "delta": delta}]} | fields)
    return completion


def call(index: int | None = None, call_id: str = "", name: str = "", arguments: Any = "") -> Any:
    piece: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        piece["index"] = index
    return {"tool_calls": [piece | ({"id": call_id} if call_id else {})]}


def test_text_comes_in_pieces() -> None:
    completion = Completion()
    said = [completion.add({"choices": [{"delta": {"content": c}}]}) for c in ("It ", "is")]
    assert said == ["It ", "is"]
    assert completion.first.message == {"role": "assistant", "content": "It is"}
    assert not completion.is_whole


@pytest.mark.parametrize(
    "pieces",
    [
        [call(0, "c1", "find"), call(0, arguments='{"a"'), call(0, arguments=": 1}")],
        [call(0, "c1", "find", '{"a": 1}')],
        [call(None, "c1", "find", '{"a": 1}')],
        [call(None, "c1", "find"), call(None, arguments='{"a": 1}')],
        [call(0, "c1", "find"), call(0, "c1", "find", '{"a": 1}')],
        [call(0, "c1", "find", {"a": 1})],
    ],
    ids=["deltas", "whole", "no index", "no index, deltas", "name repeated", "an object"],
)
def test_tool_call_is_read_however_it_is_sent(pieces: list[Any]) -> None:
    assert completion_of(*pieces).first.wanted == [WantedCall("c1", "find", '{"a": 1}')]


def test_several_calls_are_kept_apart() -> None:
    by_index = completion_of(call(0, "a", "one", "{}"), call(1, "b", "two", "{}"))
    by_id = completion_of(call(None, "a", "one", "{}"), call(None, "b", "two", "{}"))
    wanted = [WantedCall("a", "one", "{}"), WantedCall("b", "two", "{}")]
    assert by_index.first.wanted == by_id.first.wanted == wanted


def test_first_choice_counts_and_the_others_are_kept() -> None:
    completion = Completion()
    for index, content in ((1, "B"), (0, "A")):
        choice = {"index": index, "delta": {"content": content}, "finish_reason": "stop"}
        completion.add({"choices": [choice]})
    assert completion.first.content == "A"
    assert [message["content"] for message in completion.messages] == ["A", "B"]
    assert completion.finish_reasons == ["stop", "stop"]
    assert completion.is_whole


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 3}, TokenUsage(0, 3)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}},
            TokenUsage(9, None, 4),
        ),
        ({"completion_tokens_details": {"reasoning_tokens": 7}}, TokenUsage(reasoning=7)),
        ({"prompt_tokens_details": {"cache_write_tokens": 5}}, TokenUsage(cache_write=5)),
        ({"prompt_tokens": -1, "completion_tokens": "3"}, TokenUsage()),
        ({"prompt_tokens": True, "prompt_tokens_details": None}, TokenUsage()),
        ({"prompt_tokens": 10**40}, TokenUsage()),
        ("many", TokenUsage()),
    ],
)
def test_unknown_usage_is_unknown(usage: Any, found: TokenUsage) -> None:
    assert completion_of({}, usage=usage).usage == found


@pytest.mark.parametrize("chunk", [None, "text", [], 3])
def test_what_is_no_piece_is_refused(chunk: Any) -> None:
    with pytest.raises(Malformed):
        Completion().add(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": {"0": 1}},
        {"choices": [None, 3, "x"]},
        {"choices": [{"index": "zero", "delta": [], "finish_reason": 7}]},
        {"choices": [{"delta": {"content": ["part"], "tool_calls": "none"}}]},
        {"choices": [{"delta": {"tool_calls": [None, {"function": None, "id": 3}]}}]},
        {"choices": [], "model": 3, "id": {}, "usage": []},
    ],
)
def test_odd_pieces_do_no_harm(chunk: Any) -> None:
    completion = Completion()
    assert completion.add(chunk) == ""
    assert completion.first.content == ""


def test_answer_without_end_is_given_up() -> None:
    with pytest.raises(Malformed):
        completion_of(*({"content": "x" * 100_000} for _ in range(100)))


def test_what_the_database_cannot_hold_is_replaced() -> None:
    assert clean({"a\x00": ["b\x00", "\ud800", 1, None]}) == {"a�": ["b�", "?", 1, None]}
