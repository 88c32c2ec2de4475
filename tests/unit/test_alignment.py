"""Two sequences beside each other, and what differs between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from app.pages.word_diffs import Differ, word_diff
from app.services.alignment import aligned

ITEMS = st.lists(st.sampled_from("abc"), max_size=9)
TEXTS = st.lists(st.sampled_from(["bag", " ", "Rome", "!", "\n"]), max_size=30).map("".join)


def longest(left: list[str], right: list[str]) -> int:
    """By the usual table."""
    row = [0] * (len(right) + 1)
    for a in left:
        before, row = row, [0]
        for n, b in enumerate(right):
            row.append(before[n] + 1 if a == b else max(before[n + 1], row[n]))
    return row[-1]


@given(ITEMS, ITEMS)
def test_every_item_is_there_once_in_order_and_as_many_as_can_be_are_paired(
    left: list[str], right: list[str]
) -> None:
    pairs = aligned(left, right)
    assert [i for i, _ in pairs if i is not None] == list(range(len(left)))
    assert [j for _, j in pairs if j is not None] == list(range(len(right)))
    both = [(i, j) for i, j in pairs if i is not None and j is not None]
    assert all(left[i] == right[j] for i, j in both)
    assert len(both) == longest(left, right)


@given(TEXTS, TEXTS)
def test_pieces_of_a_difference_make_up_both_texts(old: str, new: str) -> None:
    pieces = word_diff(old, new, fold=False)
    if old != new:
        assert "".join(piece.text for piece in pieces if piece.kind != "ins") == old
        assert "".join(piece.text for piece in pieces if piece.kind != "del") == new


def test_long_equal_text_is_folded() -> None:
    same = "a " * 500
    kinds = [piece.kind for piece in word_diff(f"{same}Rome", f"{same}Oslo")]
    assert kinds == ["same", "gap", "same", "del", "ins"]


def test_page_of_many_long_differences_marks_the_first_and_is_quick() -> None:
    differ = Differ()
    texts = [(f"old {'word ' * 3_000}", f"new {'other ' * 3_000}") for _ in range(200)]
    marked = [bool(differ.diff(old, new)) for old, new in texts]
    assert marked[0]
    assert sum(marked) < 5
