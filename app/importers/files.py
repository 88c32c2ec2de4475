"""Files of JSON: a single value, or one on each line; plain or compressed by gzip."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1


class InputError(Exception):
    """What was given cannot be imported; the message says where and why, in words for the user."""


Faults = Callable[[InputError], None]  # is told of each line that cannot be used


def documents_in(path: Path, faults: Faults | None = None) -> Iterator[tuple[int, Any]]:
    """The JSON values of the file, each with its line. Where line 1 is one by itself, each line is.

    Raise ``InputError``; a line among others that is no JSON is told to ``faults`` if there is one.
    """
    with opened(path) as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        number, first = next(lines, (1, ""))
        if not is_json(first):
            yield number, parse(first + file.read(), path, number)
            return
        yield number, json.loads(first)
        for number, line in lines:
            try:
                value = parse(line.rstrip(), path, number)
            except InputError as error:
                if faults is None:
                    raise
                faults(error)
            else:
                yield number, value


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """The file as text. Raise ``InputError`` for what cannot be read while it is open."""
    try:
        with path.open("rb") as raw:
            packed = raw.peek(len(GZIP))[: len(GZIP)] == GZIP
            plain = gzip.GzipFile(fileobj=raw) if packed else raw
            with TextIOWrapper(plain, encoding="utf-8-sig") as file:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not whole: its gzip is broken or cut off.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.") from error


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, path: Path, first_line: int) -> Any:  # any JSON value
    if not text:
        raise InputError(f"{path} is empty.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {first_line + error.lineno - 1}, column {error.colno}"
        raise InputError(f"{path} is not JSON: {error.msg} ({where}).") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"{path} holds a number with too many digits.") from error
