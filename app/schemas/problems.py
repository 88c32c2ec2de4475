"""Pydantic's errors as clients read them."""

from collections.abc import Sequence
from typing import Any

MAX_PROBLEMS = 100


def field_problems(errors: Sequence[Any]) -> list[dict[str, Any]]:
    """Where, what and which kind; without the input, for it may hold a secret."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"]),
            "message": error["msg"].removeprefix("Value error, "),
            "type": error["type"],
        }
        for error in errors[:MAX_PROBLEMS]
    ]
