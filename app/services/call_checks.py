"""Calls of tools beside the schema that the tool had when they were made, field by field."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema.exceptions import ValidationError

from app.core.texts import _, lazy
from app.services.conversation import ToolCall, Turn
from app.services.running.arguments import validator_of

Json = Any  # a JSON value
MAX_PROBLEMS, MAX_CALLS = 20, 200
SHOWN_VALUE, SHOWN_CHOICES = 60, 12
MISSING = re.compile(r"'(.+)' is a required property")
NOUNS = {
    "integer": lazy("an integer"),
    "number": lazy("a number"),
    "string": lazy("a string"),
    "boolean": lazy("true or false"),
    "array": lazy("a list"),
    "object": lazy("an object"),
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """``field`` is empty where it is about the arguments as a whole."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the revision that ran offered it."""

    name: str
    tool_id: int | None
    schema: dict[str, Json]


@dataclass(frozen=True, slots=True)
class CallCheck:
    """``offered`` is ``None`` for a tool that the revision does not know."""

    offered: Offered | None
    problems: tuple[Problem, ...] = ()
    is_checked: bool = True


def offered_in(tools: Iterable[dict[str, Json]]) -> dict[str, Offered]:
    """The tools of a revision's snapshot by name, in lower case."""
    return {
        str(tool["name"]).strip().lower(): Offered(
            str(tool["name"]), tool.get("id"), tool.get("parameters") or {}
        )
        for tool in tools
    }


def check_calls(turns: Iterable[Turn], offered: dict[str, Offered]) -> None:
    """Note on each call how it stands to its schema; the first ``MAX_CALLS`` alone."""
    calls = (call for turn in turns for call in turn.calls if call.arguments is not None)
    for call in islice(calls, MAX_CALLS):
        call.check = check_of(call, offered)


def check_of(call: ToolCall, offered: dict[str, Offered]) -> CallCheck | None:
    """``None`` where the revision has no tools to check by."""
    if not offered:
        return None
    tool = offered.get(call.name.strip().lower())
    if tool is None:
        return CallCheck(None, is_checked=False)
    if isinstance(call.arguments, str):
        return CallCheck(tool, (Problem("", _("The arguments are not complete JSON.")),))
    try:
        errors = validator_of(tool.schema).iter_errors(call.arguments)
        found = tuple(problem_of(error) for error in islice(errors, MAX_PROBLEMS))
    except Exception:  # noqa: BLE001  (whatever a schema makes the library do)
        return CallCheck(tool, is_checked=False)
    return CallCheck(tool, found)


def problem_of(error: ValidationError) -> Problem:
    field = error.json_path.removeprefix("$").lstrip(".")
    missing = MISSING.fullmatch(error.message) if error.validator == "required" else None
    if missing:
        return Problem(f"{field}.{missing[1]}".lstrip("."), _("is missing"))
    return Problem(field, words_of(error))


def words_of(error: ValidationError) -> str:
    wanted: Json = error.validator_value
    if error.validator == "type":
        kinds = [str(NOUNS.get(str(kind), str(kind))) for kind in listed(wanted)]
        allowed = _(" or ").join(kinds)
        return _("must be %(kinds)s, got %(value)s", kinds=allowed, value=told(error.instance))
    if error.validator == "enum":
        choices = [brief(choice) for choice in listed(wanted)]
        shown = ", ".join(choices[:SHOWN_CHOICES])
        if len(choices) > SHOWN_CHOICES:
            shown = _("%(choices)s and others", choices=shown)
        value = told(error.instance)
        return _("must be one of %(choices)s, got %(value)s", choices=shown, value=value)
    return str(error.message[:300])


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def told(value: Json) -> str:
    """A value with its kind: the string "3", the number 3.5, an object."""
    if value is None or isinstance(value, bool):
        return brief(value)
    if isinstance(value, dict | list):
        return str(NOUNS["object" if isinstance(value, dict) else "array"])
    if isinstance(value, str):
        return _("the string %(value)s", value=brief(value))
    return _("the number %(value)s", value=brief(value))


def brief(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    cut = text if len(text) <= SHOWN_VALUE else f"{text[:SHOWN_VALUE]}…"
    return f'"{cut}"' if isinstance(value, str) else cut
