"""Cells that a spreadsheet cannot run, and what they were before."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.csv import formula_restored, formula_safe
from app.services.exports import MOST, STEP_BYTES, cell, next_limit

STARTS = ["=1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "  =1", "\n@x", "\u00a0=1", "＝1", "'=1"]


@pytest.mark.parametrize("text", STARTS)
def test_what_might_run_gets_a_quote_in_front(text: str) -> None:
    assert formula_safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["plain", "a=b", "", "it's", "'quoted'", " x"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert formula_safe(text) == text


@given(st.text(alphabet="'=+-@ \t\nab", max_size=8))
def test_guard_can_be_taken_off_again(text: str) -> None:
    assert formula_restored(formula_safe(text)) == text


def test_numbers_are_numbers_and_named_things_are_names() -> None:
    values = [None, True, -5, 0.25, ["x"], []]
    assert [cell("tags", value) for value in values] == ["", "true", "-5", "0.25", '["x"]', "[]"]
    assert cell("tools", [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]) == "a, b"
    assert cell("live_revision", {"id": 1, "number": 7}) == "7"


@pytest.mark.parametrize("value", [{"number": "=1", "kept": True}, [{"name": "=1"}]])
def test_json_that_looks_like_a_named_thing_leaves_whole(value: object) -> None:
    assert json.loads(cell("config", value)) == value


def test_steps_grow_while_rows_are_small_and_shrink_when_they_are_large() -> None:
    assert next_limit(16, 1_000) == 32
    assert next_limit(MOST, 1_000) == MOST
    assert next_limit(400, 4 * STEP_BYTES) == 100
    assert next_limit(1, 40 * STEP_BYTES) == 1
