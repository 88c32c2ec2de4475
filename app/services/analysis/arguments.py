"""Whether the arguments of a call are as the schema of the tool asks for."""

import json
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.services.analysis.limits import TooSlow, cpu_limit
from app.services.analysis.words import cut

# Schemas refer to themselves at the most: nothing is fetched from anywhere.
NOWHERE: Registry[Any] = Registry()
OBJECT: dict[str, Any] = {"type": "object"}
INDEX = re.compile(r"\[\d+\]")
# Schemas are written by many: one call may take so long, and all calls by one schema in a process
# this at first and then so much for each, in seconds of the processor's time. Usual is 0.0001.
ONE_CALL_S, AT_FIRST_S, EACH_S = 1.0, 1.0, 0.005
# Rules beside ``properties`` that may know further names.
NAMING_RULES = frozenset(
    {
        "$ref",
        "$dynamicRef",
        "allOf",
        "anyOf",
        "oneOf",
        "if",
        "dependentSchemas",
        "patternProperties",
        "unevaluatedProperties",
    }
)


# What is wrong, without the value that is: the same fault of many calls reads the same.
WORDS: dict[str, str] = {
    "type": "is not of the type {value}",
    "enum": "is none of the values allowed",
    "const": "is not the value allowed",
    "pattern": "does not match the pattern {value}",
    "format": "is no {value}",
    "minimum": "is less than {value}",
    "exclusiveMinimum": "is not more than {value}",
    "maximum": "is more than {value}",
    "exclusiveMaximum": "is not less than {value}",
    "minLength": "is shorter than {value}",
    "maxLength": "is longer than {value}",
    "minItems": "has fewer than {value} items",
    "maxItems": "has more than {value} items",
    "additionalProperties": "has properties that are not allowed",
}


class NotCheckable(Exception):
    """The schema is none, refers to another that is not here, or takes too long to check by."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``what`` is the same for all calls that are wrong in the same way."""

    what: str
    message: str


def fault_in(arguments: Any, schema: Any) -> Fault | None:  # JSON values
    """What is wrong first of all; ``None`` when nothing is.

    Raise ``NotCheckable``.
    """
    if isinstance(arguments, str):
        return Fault("the arguments are not complete JSON", cut(f"not complete JSON: {arguments}"))
    try:
        worst = checker_of(json.dumps(schema)).worst_in(arguments)
    except (Unresolvable, SchemaError, RecursionError, TypeError, ValueError, TooSlow) as error:
        raise NotCheckable from error
    return None if worst is None else fault_of(worst)


def fault_of(error: ValidationError) -> Fault:
    where = error.json_path.removeprefix("$").lstrip(".")
    words = WORDS.get(str(error.validator), "")
    said = words.format(value=error.validator_value) if words else generic(error)
    message = f"{where}: {error.message}" if where else error.message
    place = INDEX.sub("[]", where)
    return Fault(cut(f"{place} {said}".strip()), cut(message))


def generic(error: ValidationError) -> str:
    """A missing property is named by the library; of other rules, only the rule is."""
    return error.message if error.validator == "required" else f"breaks “{error.validator}”"


def unknown_names(arguments: Any, schema: Any) -> list[str]:  # JSON values
    """Names that were sent and that the schema does not know, whether it allows them or not."""
    if not isinstance(arguments, dict) or not isinstance(schema, dict):
        return []
    known = schema.get("properties")
    if not isinstance(known, dict) or NAMING_RULES & schema.keys():
        return []
    if isinstance(schema.get("additionalProperties"), dict):
        return []  # a map: any name will do
    return sorted(arguments.keys() - known.keys())


class Checker:
    """A schema, and what checking by it has cost so far in this process."""

    def __init__(self, validator: Draft202012Validator) -> None:
        self._validator = validator
        self._calls, self._spent_s = 0, 0.0

    def worst_in(self, arguments: Any) -> ValidationError | None:  # a JSON value
        """Raise ``TooSlow``, also at once where the calls before took too long."""
        if self._spent_s > AT_FIRST_S + EACH_S * self._calls:
            raise TooSlow
        began = time.process_time()
        try:
            with cpu_limit(ONE_CALL_S):
                worst: ValidationError | None = best_match(self._validator.iter_errors(arguments))
                return worst
        finally:
            self._calls += 1
            self._spent_s += time.process_time() - began


@lru_cache(maxsize=512)
def checker_of(schema: str) -> Checker:
    """Raise ``SchemaError``. Tools of the same schema share it."""
    loaded = json.loads(schema) or OBJECT
    Draft202012Validator.check_schema(loaded)
    return Checker(Draft202012Validator(loaded, registry=NOWHERE))
