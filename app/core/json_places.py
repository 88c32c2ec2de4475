"""Where in a JSON text a value stands, to say on which line it is wrong."""

import re
from collections.abc import Sequence
from json import JSONDecoder

DECODER = JSONDecoder()
SOMETHING = re.compile(r"[^ \t\n\r]|\Z")


def _skip(text: str, at: int) -> int:
    """The next place that is no white space."""
    found = SOMETHING.search(text, at)
    return found.start() if found else len(text)


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, from 1, of the value that ``path`` leads to, or of the last part that is there.

    ``text`` is valid JSON.
    """
    at = _skip(text, 0)
    for part in path:
        inner = _member(text, at, part)
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, part: str | int) -> int | None:
    """Where the member ``part`` of the object or array at ``at`` begins."""
    is_object, index, found = text[at] == "{", 0, None
    if text[at] not in "{[":
        return None
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        key: str | int = index
        if is_object:
            key, at = DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if key == part:
            found = at  # the last of equal names counts, as for the decoder
        _, at = DECODER.raw_decode(text, at)
        at, index = _skip(text, at), index + 1
        at = _skip(text, at + 1) if text[at] == "," else at
    return found
