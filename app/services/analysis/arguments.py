"""Whether the arguments of a call are as the schema of the tool asks for."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from app.services.analysis.words import cut

# Schemas refer to themselves at the most: nothing is fetched from anywhere.
NOWHERE: Registry[Any] = Registry()
OBJECT: dict[str, Any] = {"type": "object"}
INDEX = re.compile(r"\[\d+\]")


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
    """The schema is none, or refers to another that is not here."""


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
        worst = best_match(validator_of(json.dumps(schema)).iter_errors(arguments))
    except (Unresolvable, SchemaError, RecursionError, TypeError, ValueError) as error:
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


@lru_cache(maxsize=512)
def validator_of(schema: str) -> Draft202012Validator:
    """Raise ``SchemaError``. Tools of the same schema share it."""
    loaded = json.loads(schema) or OBJECT
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded, registry=NOWHERE)
