"""Two changes of one text: what only one side changed is taken, what both did is to be chosen."""

from hypothesis import given
from hypothesis import strategies as st

from app.pages.line_merges import MAX_LINES, merge_lines, merged_text

BASE = "Be kind.\nBe brief.\nSay please.\nAnswer in English."
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=8).map("\n".join)


def kinds(base: str, theirs: str, yours: str) -> list[str]:
    return [part.kind for part in merge_lines(base, theirs, yours)]


def test_lines_that_one_side_changed_are_merged_by_themselves() -> None:
    theirs = BASE.replace("Be kind.", "Be very kind.")
    yours = BASE.replace("Answer in English.", "Answer in French.\nSign it.")
    parts = merge_lines(BASE, theirs, yours)
    assert [part.kind for part in parts] == ["theirs", "same", "yours"]
    merged = merged_text(parts, {})
    assert merged == "Be very kind.\nBe brief.\nSay please.\nAnswer in French.\nSign it."


def test_lines_that_both_changed_are_chosen() -> None:
    theirs, yours = BASE.replace("Be brief.", "Be short."), BASE.replace("Be brief.", "Be long.")
    parts = merge_lines(BASE, theirs, yours)
    assert [part.kind for part in parts] == ["same", "conflict", "same"]
    assert merged_text(parts, {}) == yours
    assert merged_text(parts, {1: "theirs"}) == theirs
    assert "Be short.\nBe long.\n" in merged_text(parts, {1: "both"})


def test_line_that_one_side_took_away_is_gone_and_one_that_both_changed_alike_is_taken() -> None:
    theirs = BASE.replace("Be kind.\n", "").replace("English", "French")
    yours = BASE.replace("English", "French")
    parts = merge_lines(BASE, theirs, yours)
    assert [part.kind for part in parts] == ["theirs", "same", "alike"]
    assert merged_text(parts, {}) == theirs


@given(TEXTS, TEXTS)
def test_side_that_changed_nothing_leaves_the_other_as_it_is(base: str, other: str) -> None:
    assert merged_text(merge_lines(base, other, base), {}) == other
    assert merged_text(merge_lines(base, base, other), {}) == other


@given(TEXTS, TEXTS, TEXTS)
def test_each_side_can_be_had_whole_from_its_parts(base: str, theirs: str, yours: str) -> None:
    parts = merge_lines(base, theirs, yours)
    for side, text in (("base", base), ("theirs", theirs), ("yours", yours)):
        lines = [line for part in parts for line in getattr(part, side)]
        assert "\n".join(lines) == text


def test_line_ends_of_browsers_are_no_change_and_long_texts_are_chosen_as_a_whole() -> None:
    assert kinds(BASE, BASE.replace("\n", "\r\n"), BASE) == ["same"]
    assert merge_lines(BASE, "x\n" * MAX_LINES, BASE) == []
