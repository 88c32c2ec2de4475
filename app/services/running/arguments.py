"""Whether a tool takes these arguments: JSON Schema as far as it can be trusted.

Schemas are written by users. So nothing is fetched for a ``$ref``, patterns are left to the tool
itself (one that backtracks would stop everything else), and references are followed so often only.
"""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

MAX_REFERENCES = 10_000
MAX_TOLD = 500
Json = dict[str, Any]
Errors = Iterator[ValidationError]
KNOWN: Any = Draft202012Validator.VALIDATORS  # functions by keyword
EXTEND: Any = extend  # the library does not annotate it


class TooManyReferences(Exception):
    """The schema refers to itself without an end, or nearly so."""


def not_checked(_: Any, __: Any, ___: Any, ____: Any) -> Errors:
    return iter(())


def additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if "patternProperties" in schema:
        return iter(())
    found: Errors | None = KNOWN["additionalProperties"](validator, value, instance, schema)
    return iter(()) if found is None else found


def validator_of(schema: Json) -> Any:  # a validator
    left = MAX_REFERENCES

    def ref(validator: Any, target: Any, instance: Any, around: Any) -> Errors:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooManyReferences
        yield from KNOWN["$ref"](validator, target, instance, around) or ()

    keywords = {
        "$ref": ref,
        "$dynamicRef": not_checked,
        "additionalProperties": additional_properties,
        "pattern": not_checked,
        "patternProperties": not_checked,
        "unevaluatedProperties": not_checked,
    }
    return EXTEND(Draft202012Validator, keywords)(schema, registry=Registry())


def problem_with(arguments: Json, schema: Json) -> str | None:
    """What is wrong with the arguments, in words that help to correct them, if anything is."""
    try:
        error = next(validator_of(schema).iter_errors(arguments), None)
    except Exception as broken:  # noqa: BLE001  (whatever a schema makes the library do)
        return f"The schema of this tool cannot be used ({type(broken).__name__})."
    if error is None:
        return None
    where = "/".join(str(step) for step in error.absolute_path)
    return f"{error.message[:MAX_TOLD]} (at {where})" if where else str(error.message[:MAX_TOLD])
