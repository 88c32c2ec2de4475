"""What may come in: attributes that PostgreSQL can keep, without secrets. Nothing here raises."""

import base64
import json
import math
import re
from enum import Enum
from itertools import pairwise
from typing import Any

import orjson

from app.core.secret_names import COUNTED_TOKENS, KEYS_TO_THINGS, PREFIX, WHOLE_WORDS

MAX_DEPTH = 64
MAX_JSON_CHARACTERS = 4 * 1024 * 1024
MAX_JSON_MARKS = 200_000  # commas, colons and brackets: what a tree can have nodes for
COUNTED_ABOVE = 64 * 1024  # shorter texts cannot hold many
LENIENT_CHARACTERS = 64 * 1024
MAX_REMEMBERED = 8192
MAX_KEY = 200
MAX_INTEGER, MIN_INTEGER = 2**64 - 1, -(2**63)  # what orjson writes
MAX_DIGIT_BITS = 1000  # about 1e300
MAX_PLAIN = 2**53
OPENERS = frozenset("{[")
MAY_OPEN_JSON = frozenset("{[ \t\r\n\v\f")
CUT = "[cut: nested too deep]"

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Guard(Enum):
    """What the name of an attribute or parameter says of its value."""

    OPEN = 0
    SECRET = 1
    TOKEN = 2  # a secret, unless it is a number or a token of text


class Nothing(Enum):
    """Where ``None`` is a value."""

    NOTHING = 0


NOTHING = Nothing.NOTHING
_guards: dict[str, Guard] = {}
_open: set[str] = set()  # the names among them that guard nothing


def guard_of(name: str) -> Guard:
    known = _guards.get(name)
    if known is None:
        known = _guard(name)
        if len(name) <= MAX_KEY and "\0" not in name:
            if len(_guards) >= MAX_REMEMBERED:
                _guards.clear()
                _open.clear()
            _guards[name] = known
            if known is Guard.OPEN:
                _open.add(name)
    return known


def _guard(name: str) -> Guard:
    if len(name) > 2 * MAX_KEY:
        name = f"{name[:MAX_KEY]}.{name[-MAX_KEY:]}"
    words = [word.lower() for word in WORDS.findall(name)]
    pairs = pairwise(words)
    if not WHOLE_WORDS.isdisjoint(words) or name.startswith(PREFIX):
        return Guard.SECRET
    if any(second in ("key", "keys") and first in KEYS_TO_THINGS for first, second in pairs):
        return Guard.SECRET
    if words[-1:] == ["token"] and (len(words) == 1 or words[-2] not in COUNTED_TOKENS):
        return Guard.TOKEN
    return Guard.OPEN


def hides(guard: Guard, value: Any) -> bool:  # any attribute value
    """Whether a value of a name under guard is kept out. Numbers of tokens are no secrets."""
    if guard is Guard.OPEN:
        return False
    return guard is Guard.SECRET or not (value is None or isinstance(value, int | float))


def clean_text(text: str) -> str:
    """Text that jsonb holds: no NUL, no lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def parsed(text: str) -> Any:  # a JSON value
    """The object or list that a text holds as JSON, else ``NOTHING``; both are bounded."""
    first = text[:1]
    if first not in "{[" or not first:
        if not first.isspace():
            return NOTHING
        text = text.lstrip() if len(text) <= MAX_JSON_CHARACTERS else ""
        if text[:1] not in ("{", "["):
            return NOTHING
    if len(text) > COUNTED_ABOVE and _too_wide(text):
        return NOTHING
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _lenient(text)


def _too_wide(text: str) -> bool:
    if len(text) > MAX_JSON_CHARACTERS:
        return True
    return sum(map(text.count, ",:[{")) > MAX_JSON_MARKS


def _lenient(text: str) -> Any:  # a JSON value
    """What Python's own writer lets through: NaN, infinities and lone surrogates."""
    if len(text) > LENIENT_CHARACTERS or not any(s in text for s in ("NaN", "Infinity", "\\ud")):
        return NOTHING
    try:
        return storable(json.loads(text))
    except (ValueError, RecursionError):
        return NOTHING


def is_clean(node: Any, depth: int = MAX_DEPTH) -> bool:  # a JSON object or list
    """Whether a parsed tree can be kept as it is."""
    if depth <= 0:
        return False
    if type(node) is dict:
        if not _open.issuperset(node) and not all(map(_is_open, node)):
            return False
        node = node.values()
    for value in node:
        kind = type(value)
        if kind is str:
            if "\0" in value or (value[:1] in OPENERS and not _holds_clean(value, depth)):
                return False
        elif (kind is dict or kind is list) and not is_clean(value, depth - 1):
            return False
    return True


def _is_open(key: str) -> bool:
    return "\0" not in key and guard_of(key) is Guard.OPEN


def _holds_clean(text: str, depth: int) -> bool:
    tree = parsed(text)
    return tree is NOTHING or is_clean(tree, depth - 1)


def storable(value: Any, depth: int = MAX_DEPTH) -> Any:  # any attribute value
    """The value as jsonb holds it, without secrets; what does not fit is cut or replaced."""
    if isinstance(value, str):
        return admitted(value, depth)[0]
    if isinstance(value, dict):
        return CUT if depth <= 0 else _storable_dict(value, depth)
    if isinstance(value, list | tuple):
        return CUT if depth <= 0 else [storable(item, depth - 1) for item in value]
    return _scalar(value)


def _storable_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    kept = {}
    for key, item in value.items():
        name = clean_text(key) if isinstance(key, str) else clean_text(repr(_scalar(key)))
        guard = guard_of(name)
        # Log probabilities name each "token" of a text.
        if not hides(guard, item) or (guard is Guard.TOKEN and "logprob" in value):
            kept[name] = storable(item, depth - 1)
    return kept


def _scalar(value: Any) -> Any:  # any value but texts, lists and objects
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if MIN_INTEGER <= value <= MAX_INTEGER:
            return int(value)
        return str(int(value)) if value.bit_length() < MAX_DIGIT_BITS else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return f"[{type(value).__name__}]"


def is_plain(value: Any) -> bool:  # any attribute value
    """Whether a value can be kept as it is, at a glance; most can."""
    kind = type(value)
    if kind is str:
        return value[:1] not in MAY_OPEN_JSON and value.isascii() and "\0" not in value
    if kind is int:
        return bool(-MAX_PLAIN < value < MAX_PLAIN)
    return kind is bool or (kind is float and math.isfinite(value))


def admitted(text: str, depth: int = MAX_DEPTH) -> tuple[str, Any]:
    """A text without secrets, and what it holds as JSON or ``NOTHING``."""
    text = clean_text(text)
    tree = parsed(text)
    if tree is NOTHING or is_clean(tree, depth):
        return text, tree
    kept = storable(tree, depth - 1)
    return (text if kept == tree else orjson.dumps(kept).decode()), kept
