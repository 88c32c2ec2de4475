"""Tools: arguments against their schema, those unknown, unused, or failing."""

from typing import Any

import pytest

from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.arguments import unknown_names
from app.services.analysis.runs import Revision, Run
from tests.factories.analyses import REVISION, Trace, findings_in, make_report, make_run

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[A-Z]"},
        "days": {"type": "array", "items": {"type": "integer", "minimum": 1}},
    },
    "required": ["city"],
    "additionalProperties": False,
}


def broken_in(*runs: Run) -> list[Finding]:
    return findings_in(*runs, kind=FindingKind.BROKEN_ARGUMENTS)


def calling(arguments: Any, schema: Any = SCHEMA, run_id: int = 1) -> Run:
    revision = Revision(1, {"weather": schema}, None)
    return make_run(run_id, Trace().calls("weather", arguments), revision=revision)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "'city' is a required property"),
        ({"city": 5}, "city is not of the type string"),
        ({"city": "rome"}, "city does not match the pattern ^[A-Z]"),
        ({"city": "Rome", "days": [1, 0]}, "days[] is less than 1"),
        ({"city": "Rome", "when": 1}, "has properties that are not allowed"),
        ('{"city": "Ro', "the arguments are not complete JSON"),
    ],
)
def test_arguments_that_break_the_schema_are_told(arguments: Any, fault: str) -> None:
    [found] = broken_in(calling(arguments))
    assert found.detail == f"{fault} (1)"
    assert found.title == (
        "weather was called with arguments that break its schema in 1 of 1 call."
    )


def test_arguments_that_fit_are_none() -> None:
    assert not broken_in(calling({"city": "Rome", "days": [1]}))


def test_schema_is_that_of_the_revision_that_ran() -> None:
    lenient = Revision(2, {"weather": {}}, None)
    trace = Trace().calls("weather", {"city": 5})
    assert not broken_in(make_run(1, trace, revision=lenient))
    assert broken_in(make_run(1, trace))


def test_equal_faults_of_other_values_are_counted_together() -> None:
    runs = [calling({"city": f"town {n}"}, run_id=n) for n in range(1, 26)]
    [found] = broken_in(*runs)
    assert found.detail == "city does not match the pattern ^[A-Z] (25)"
    assert "in 25 of 25 calls (100 %)" in found.title
    assert found.severity is Severity.HIGH
    assert (found.total, len(found.evidence)) == (25, 20)


@pytest.mark.parametrize(
    "schema", [{"$ref": "http://127.0.0.1:1/schema.json"}, {"$ref": "#/nowhere"}, {"type": 7}]
)
def test_schema_that_cannot_be_used_here_is_not_checked(schema: Any) -> None:
    run = calling({"city": 5}, schema)
    assert not broken_in(run)
    [row] = make_report(run).tools
    assert (row.calls, row.checked) == (1, 0)


def test_schema_may_refer_to_itself() -> None:
    schema = {"$defs": {"city": {"type": "string"}}, "properties": {"c": {"$ref": "#/$defs/city"}}}
    assert broken_in(calling({"c": 1}, schema))
    assert not broken_in(calling({"c": "Rome"}, schema))


def test_tool_that_the_revision_does_not_offer_is_unknown() -> None:
    [found] = findings_in(make_run(1, Trace().calls("fly", {})), kind=FindingKind.UNKNOWN_TOOL)
    assert "fly was called 1 time in 1 run whose revision does not offer it." in found.title


def test_agent_without_registered_tools_calls_nothing_unknown() -> None:
    run = make_run(1, Trace().calls("fly", {}), revision=Revision(1, {}, None))
    assert not findings_in(run, kind=FindingKind.UNKNOWN_TOOL)


def test_tools_that_were_never_called_are_told_once_there_are_enough_runs() -> None:
    runs = [make_run(n, Trace().calls("book", {})) for n in range(1, 21)]
    assert not findings_in(*runs[:19], kind=FindingKind.UNUSED_TOOLS)
    [found] = findings_in(*runs, kind=FindingKind.UNUSED_TOOLS)
    assert found.title == "weather was offered in 20 runs and never called."
    assert found.total == 20


def test_tool_that_fails_often_is_told_with_its_errors() -> None:
    trace = Trace()
    for seat in range(10):
        trace.calls("book", {"seat": seat}, f"Error: seat {seat} is taken", failed=seat < 4)
    [found] = findings_in(make_run(1, trace, revision=REVISION), kind=FindingKind.FAILING_TOOL)
    assert found.title == "book failed in 10 of 10 calls, in 1 run."
    assert found.detail == "Error: seat # is taken (10)"
    assert len(found.evidence) == 3, "a few of one run stand for the rest"


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({"properties": {"city": {}}}, ["days"]),
        ({"properties": {}}, ["city", "days"]),
        ({"type": "object"}, []),
        ({"properties": {"city": {}}, "additionalProperties": {"type": "integer"}}, []),
        ({"properties": {"city": {}}, "allOf": [{"properties": {"days": {}}}]}, []),
        ({"properties": {"city": {}}, "additionalProperties": False}, ["days"]),
    ],
    ids=["named", "none", "any", "map", "composed", "closed"],
)
def test_names_that_the_schema_does_not_know_are_told(schema: Any, names: list[str]) -> None:
    assert unknown_names({"city": "Rome", "days": 3}, schema) == names


def test_check_that_takes_too_long_is_cut_short_and_not_begun_again() -> None:
    schema = {"properties": {"city": {"pattern": "^(a+)+$"}}}
    run = calling({"city": "a" * 40 + "!"}, schema)
    for _ in range(20):  # a second each, if each were begun
        assert not broken_in(run)
    # What is quick by itself is not checked any more either: the schema has had its time.
    assert not broken_in(calling({"city": "b"}, schema))
