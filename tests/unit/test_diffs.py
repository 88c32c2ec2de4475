"""Two snapshots side by side."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import AgentRevision
from app.pages.diffs import diff_lines, diff_snapshots

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30).map("\n".join)


def revision(number: int, **values: Any) -> AgentRevision:
    snapshot = {
        "model_name": "m",
        "system_prompt": "Be kind.",
        "max_tokens": 1000,
        "config": {},
        "tools": [],
    } | values
    return AgentRevision(number=number, snapshot=snapshot)


def test_equal_texts_have_no_diff() -> None:
    assert diff_lines("a\nb", "a\nb") == []


def test_changed_line_stands_beside_the_old_one() -> None:
    rows = diff_lines("a\nb\nc", "a\nX\nc")
    assert [(r.left, r.right, r.changed) for r in rows] == [
        ("a", "a", False),
        ("b", "X", True),
        ("c", "c", False),
    ]


def test_far_equal_lines_are_folded_and_counted() -> None:
    lines = [str(i) for i in range(50)]
    rows = diff_lines("\n".join(lines), "\n".join([*lines[:25], "new", *lines[25:]]))
    assert [row.gap for row in rows if row.gap] == [22, 22]
    assert [row.right for row in rows if row.changed] == ["new"]


@given(LINES, LINES)
def test_diff_loses_no_line(old: str, new: str) -> None:
    if old == new:
        return
    rows = diff_lines(old, new)
    hidden = sum(row.gap for row in rows)
    for text, numbers in (
        (old, [row.left_number for row in rows]),
        (new, [row.right_number for row in rows]),
    ):
        known = [number for number in numbers if number is not None]
        assert known == sorted(set(known))
        assert len(known) + hidden == len(text.splitlines())


def test_same_snapshots_differ_in_nothing() -> None:
    assert diff_snapshots(revision(1), revision(2)).is_empty


def test_first_revision_differs_from_nothing_in_everything() -> None:
    diff = diff_snapshots(None, revision(1))
    assert not diff.is_empty
    assert [field.new for field in diff.fields] == ["m", "1000"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], ["a"], (["a"], [], [])),
        (["a"], [], ([], ["a"], [])),
        (["a", "b"], ["b", "a"], ([], [], [])),
    ],
)
def test_tools_come_and_go(
    before: list[str], after: list[str], expected: tuple[list[str], list[str], list[str]]
) -> None:
    def tools(names: list[str]) -> list[dict[str, Any]]:
        return [{"id": i, "name": name, "parameters": {}} for i, name in enumerate(names)]

    diff = diff_snapshots(revision(1, tools=tools(before)), revision(2, tools=tools(after)))
    assert (diff.added_tools, diff.removed_tools, diff.changed_tools) == expected


def test_tool_with_other_parameters_is_changed_and_its_id_is_no_change() -> None:
    old = [{"id": 1, "name": "a", "parameters": {}}, {"id": 2, "name": "b", "parameters": {}}]
    new = [{"id": 9, "name": "a", "parameters": {}}, {"id": 2, "name": "b", "parameters": {"x": 1}}]
    diff = diff_snapshots(revision(1, tools=old), revision(2, tools=new))
    assert diff.changed_tools == ["b"]
    [tool] = diff.tools
    assert (tool.name, tool.change) == ("b", "changed")
    assert [row.right for row in tool.rows if row.changed] == [
        *('  "parameters": {', '    "x": 1', "  }")
    ]


def test_long_texts_of_lines_that_repeat_are_compared_quickly() -> None:
    old = "\n".join("xy"[n % 2] for n in range(40_000))
    new = "\n".join("xy"[n % 3 == 0] for n in range(40_000))
    rows = diff_lines(old, new)
    assert [row.right for row in rows if row.right_number] == new.splitlines()
