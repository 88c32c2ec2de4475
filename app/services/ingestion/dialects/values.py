"""Attribute values to the types of our facts; ``None`` where a value is of no use."""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

Value = Any  # any attribute value, as the door let it in

MAX_NAME = 200
MAX_PROVIDER = 100
MAX_TEXT = 4000
MAX_TAGS, MAX_TAG = 50, 64
MAX_COUNT = 2**53
MAX_DIGITS = 16
MAX_COST = Decimal(10) ** 9
QUOTES = '"'  # MLflow writes every attribute as JSON


def name(value: Value) -> str | None:
    # Most names are as they should be.
    if type(value) is str and value.isidentifier() and len(value) <= MAX_NAME:
        return value
    return _text(value, MAX_NAME)


def model(value: Value) -> str | None:
    """Google names models by path: ``projects/p/.../models/gemini-2.5-flash``."""
    text = _text(value, MAX_TEXT)
    if text is not None and "models/" in text:
        text = text.rpartition("models/")[2]
    return text[:MAX_NAME] or None if text else None


def long_text(value: Value) -> str | None:
    return _text(value, MAX_TEXT)


def _text(value: Value, most: int) -> str | None:
    if type(value) is not str:
        return None
    return _unquoted(value.strip())[:most] or None


def _unquoted(value: str) -> str:
    """Without the quotes around the whole of it; those of a sentence that quotes something stay."""
    inner = value[1:-1]
    is_quoted = len(value) > 1 and value[0] == value[-1] == QUOTES and QUOTES not in inner
    return inner if is_quoted else value


def identifier(value: Value) -> str | None:
    """Ids are sometimes numbers."""
    if type(value) is int:
        value = str(value)
    return _text(value, MAX_NAME)


def count(value: Value) -> int | None:
    """Tokens: a whole number from 0, which some write as text."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < MAX_DIGITS:
        return int(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < MAX_COUNT else None


def amount(value: Value) -> Decimal | None:
    """USD."""
    if type(value) not in (int, float, str) or len(str(value)) > MAX_NAME:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found < MAX_COST else None


def score(value: Value) -> float | None:
    if type(value) is str and len(value) < MAX_NAME:
        try:
            value = float(value)
        except ValueError:
            return None
    if type(value) is int and abs(value) < MAX_COUNT:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def tags(value: Value) -> list[str] | None:
    if type(value) is str:
        value = [value]
    if type(value) is not list:
        return None
    return [tag[:MAX_TAG] for tag in value[:MAX_TAGS] if isinstance(tag, str) and tag] or None


def choice(table: dict[str, Any]) -> Callable[[Value], Any]:
    """A reader of words, in any case."""

    def read(value: Value) -> Any:  # what the table holds
        if type(value) is not str or len(value) > MAX_NAME:
            return None
        return table.get(value) or table.get(value.strip(QUOTES).lower())

    return read
