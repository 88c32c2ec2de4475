"""Chat transcripts in files: read run by run and checked before anything is sent."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Message = dict[str, Any]  # a chat message of OpenAI's API, kept as it is
MESSAGE_FIELDS = ("traj", "messages")


class TranscriptError(Exception):
    """The file cannot be imported; the message says where and why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run: its position in the file from 0, its messages, and what stands beside them."""

    index: int
    messages: list[Message]
    extras: dict[str, Any]  # JSON values by name


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """The runs of a JSON or JSON Lines file, one in memory at a time for the latter.

    A run is ``{"traj" | "messages": [...], ...}`` or a bare list of messages; a file holds a list
    of runs, a single run, or one of these on each line. Raise ``TranscriptError``.
    """
    runs = (run for document in documents_in(path) for run in runs_in(document))
    for index, run in enumerate(runs):
        yield transcript_of(index, run)


def documents_in(path: Path) -> Iterator[Any]:
    """The JSON values of the file. Where line 1 is one by itself, each line is."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
            number, first = next(lines, (1, ""))
            if not is_json(first):
                yield parse(first + file.read(), path, number)
                return
            yield json.loads(first)
            for number, line in lines:
                yield parse(line, path, number)
    except OSError as error:
        raise TranscriptError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TranscriptError(f"{path} is not UTF-8 text.") from error


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, path: Path, first_line: int) -> Any:  # any JSON value
    if not text:
        raise TranscriptError(f"{path} is empty.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {first_line + error.lineno - 1}, column {error.colno}"
        raise TranscriptError(f"{path} is not JSON: {error.msg} ({where}).") from error
    except RecursionError as error:
        raise TranscriptError(f"{path} is nested too deeply.") from error
    except ValueError as error:
        raise TranscriptError(f"{path} holds a number with too many digits.") from error


def runs_in(document: Any) -> list[Any]:  # any JSON value
    """The runs of one JSON value: itself, or its items."""
    if isinstance(document, list):
        return [document] if document and is_message(document[0]) else document
    return [document]


def is_message(value: Any) -> bool:  # any JSON value
    return (
        isinstance(value, dict)
        and "role" in value
        and not any(isinstance(value.get(field), list) for field in MESSAGE_FIELDS)
    )


def transcript_of(index: int, run: Any) -> Transcript:  # any JSON value
    """Raise ``TranscriptError`` naming the run and the message, both counted from 1."""
    where = f"Run {index + 1}"
    messages, extras = run, {}
    if isinstance(run, dict):
        field = next((name for name in MESSAGE_FIELDS if name in run), None)
        messages = None if field is None else run[field]
        extras = {name: value for name, value in run.items() if name != field}
    if not isinstance(messages, list):
        raise TranscriptError(f'{where} has no list of messages (under "messages" or "traj").')
    if not messages:
        raise TranscriptError(f"{where} has no messages: its list is empty.")
    for number, message in enumerate(messages, 1):
        check_message(message, f"{where}, message {number}")
    return Transcript(index, messages, extras)


def check_message(message: Any, where: str) -> None:  # any JSON value
    if not isinstance(message, dict):
        raise TranscriptError(f"{where} is not an object.")
    role = message.get("role")
    if role is None:
        raise TranscriptError(f"{where} has no role.")
    if not isinstance(role, str) or not role:
        raise TranscriptError(f"{where} has a role that is not text.")
