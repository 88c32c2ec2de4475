"""Pydantic's errors as clients read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from app.core.texts import lazy

MAX_PROBLEMS = 100
# Pydantic's kinds of errors as one says them to a person; format strings over their context.
WORDING: Mapping[str, str] = {
    "missing": lazy("is required"),
    "int_parsing": lazy("must be a whole number"),
    "int_from_float": lazy("must be a whole number"),
    "int_type": lazy("must be a whole number"),
    "float_parsing": lazy("must be a number"),
    "float_type": lazy("must be a number"),
    "decimal_parsing": lazy("must be a number"),
    "decimal_type": lazy("must be a number"),
    "bool_parsing": lazy("must be true or false"),
    "bool_type": lazy("must be true or false"),
    "string_type": lazy("must be text"),
    "list_type": lazy("must be a list"),
    "dict_type": lazy("must be an object"),
    "greater_than": lazy("must be more than {gt}"),
    "greater_than_equal": lazy("must be at least {ge}"),
    "less_than": lazy("must be less than {lt}"),
    "less_than_equal": lazy("must be at most {le}"),
    "string_too_short": lazy("must have at least {min_length} characters"),
    "string_too_long": lazy("must have at most {max_length} characters"),
    "too_short": lazy("choose at least {min_length}"),
    "too_long": lazy("may hold at most {max_length}"),
    "enum": lazy("must be one of {expected}"),
    "literal_error": lazy("must be one of {expected}"),
}


def field_of(error: ErrorDetails) -> str:
    """With the way to it, as in ``tools.0.name``."""
    return ".".join(str(part) for part in error["loc"])


def field_problems(errors: Sequence[Any]) -> list[dict[str, Any]]:
    """Where, what and which kind; without the input, for it may hold a secret."""
    return [
        {
            "field": field_of(error),
            "message": error["msg"].removeprefix("Value error, "),
            "type": error["type"],
        }
        for error in errors[:MAX_PROBLEMS]
    ]


def in_words(problem: ErrorDetails) -> str:
    """Pydantic's error as one says it to a person."""
    wording = WORDING.get(problem["type"])
    if wording is None:
        return problem["msg"].removeprefix("Value error, ")
    return wording.format(**problem.get("ctx", {}))
