"""A JSON Schema is read out in a table, or refused with the line where it is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.json_places import line_of
from app.pages.schema_view import check_schema, parameters_of

SCHEMA = """{
  "type": "object",
  "required": ["bag", "legs"],
  "properties": {
    "bag": {"type": "string", "description": "Its \\"tag\\""},
    "size": {"enum": ["small", 2, null]},
    "legs": {"type": "array", "items": {
      "type": "object",
      "properties": {"from": {"type": ["string", "null"]}}
    }},
    "type": {"anyOf": [{"type": "integer"}, {"type": "null"}]}
  }
}"""


def test_parameters_are_named_with_type_need_and_choices() -> None:
    found = {each.name: each for each in check_schema(SCHEMA).parameters}
    assert [*found] == ["bag", "size", "legs", "legs[].from", "type"]
    assert (found["bag"].type, found["bag"].required) == ("string", True)
    assert found["bag"].description == 'Its "tag"'
    assert found["size"].choices == ("small", "2", "null")
    assert found["legs"].type == "list of object"
    assert found["legs[].from"].type == "string or null"
    assert found["type"].type == "integer or null"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"enum": ["small", 2, null]', '"enum": 7', 6),
        ('"type": ["string", "null"]', '"type": "strong"', 9),
        ('"required": ["bag", "legs"]', '"required": "bag"', 3),
        ('"type": "object",\n  "req', '"type": "objct",\n  "req', 2),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int) -> None:
    assert old in SCHEMA
    error = check_schema(SCHEMA.replace(old, new)).error or ""
    assert error.startswith("is not a valid JSON Schema")
    assert f"(line {line}," in error


def test_broken_json_is_named_with_its_line() -> None:
    assert "line 3" in (check_schema('{\n  "a": 1,\n  oops\n}').error or "")
    assert check_schema("[1]").error == "must be an object, in braces"
    assert check_schema("[" * 100_000).error
    assert check_schema('{"not":' * 5_000 + "{}" + "}" * 5_000).error
    assert check_schema("").error is None


@pytest.mark.parametrize("value", [None, 7, [], {"a": 7}, {"a": {"enum": 1, "items": 3}}])
def test_shapes_that_no_schema_has_are_read_all_the_same(value: object) -> None:
    parameters_of({"properties": value, "required": 3})


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]))
def test_each_member_is_found_on_the_line_where_it_stands(
    value: object, indent: int | str | None
) -> None:
    text = json.dumps({"before": [value, {"target": 1}], "target": {"x": value}}, indent=indent)
    line = line_of(text, ["target", "x"])
    assert text.splitlines()[line - 1].strip().startswith(('"x"', '{"before"'))
    assert line_of(text, ["target", "nowhere"]) == line_of(text, ["target"])
