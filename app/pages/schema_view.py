"""A JSON Schema as people read it: what is wrong on which line, else its parameters in a table."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from app.core.json_places import line_of
from app.core.texts import _
from app.pages.forms import NOT_JSON

MAX_ROWS = 100
MAX_DEPTH = 4
MAX_TEXT = 200_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument; parts of an object are named with a point, of a list with brackets."""

    name: str
    type: str
    required: bool
    description: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """``error`` begins in the middle of a sentence, as the errors of forms do."""

    error: str | None
    parameters: list[Parameter]


def type_of(schema: dict[str, Any]) -> str:
    """As one says it: ``list of string``, ``string or null``, ``any``."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    if kind == "array":
        items = schema.get("items")
        return (
            _("list of %(type_of)s", type_of=type_of(items)) if isinstance(items, dict) else "list"
        )
    if kind:
        return str(kind)
    ways = [way for name in ("anyOf", "oneOf") for way in listed(schema, name)]
    return " or ".join(dict.fromkeys(map(type_of, ways))) or "any"


def listed(schema: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = schema.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def choices_of(schema: dict[str, Any]) -> tuple[str, ...]:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list):
        return ()
    return tuple(v if isinstance(v, str) else json.dumps(v) for v in values[:30])


def walk(schema: dict[str, Any], within: str = "", depth: int = 0) -> Iterator[Parameter]:
    properties, required = schema.get("properties"), schema.get("required")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        inner = part if isinstance(part, dict) else {}
        full = f"{within}{name}"
        is_required = isinstance(required, list) and name in required
        about = inner.get("description", "")
        yield Parameter(full, type_of(inner), is_required, str(about), choices_of(inner))
        if depth < MAX_DEPTH:
            items = inner.get("items")
            yield from walk(inner, f"{full}.", depth + 1)
            yield from walk(items, f"{full}[].", depth + 1) if isinstance(items, dict) else ()


def parameters_of(schema: dict[str, Any]) -> list[Parameter]:
    return list(islice(walk(schema), MAX_ROWS))


def problem_in(text: str, schema: dict[str, Any]) -> str | None:
    validator = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    error: SchemaError | None = best_match(validator.iter_errors(schema))
    if error is None:
        return None
    where = ".".join(map(str, error.path)) or _("the top level")
    line = line_of(text, list(error.path))
    return _(
        "is not a valid JSON Schema: %(value)s (line %(line)s, at %(where)s)",
        value=error.message[:300],
        line=line,
        where=where,
    )


def check_schema(text: str) -> SchemaCheck:
    """What a form says of the text while it is typed."""
    if len(text) > MAX_TEXT:
        return SchemaCheck(_("is too long to be checked while you type"), [])
    try:
        schema = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        words = NOT_JSON.format(reason=error.msg, line=error.lineno, column=error.colno)
        return SchemaCheck(words, [])
    except (RecursionError, ValueError):
        return SchemaCheck(_("is not JSON that can be read"), [])
    if not isinstance(schema, dict):
        return SchemaCheck(_("must be an object, in braces"), [])
    try:
        problem = problem_in(text, schema) if text.strip() else None
        return SchemaCheck(problem, [] if problem else parameters_of(schema))
    except RecursionError:
        return SchemaCheck(_("is nested too deeply"), [])
