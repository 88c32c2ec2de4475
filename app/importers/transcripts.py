"""Chat transcripts in files: read run by run and checked before anything is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.importers.files import InputError, documents_in

Message = dict[str, Any]  # a chat message of OpenAI's API, kept as it is
MESSAGE_FIELDS = ("traj", "messages")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One run: its position in the file from 0, its messages, and what stands beside them."""

    index: int
    messages: list[Message]
    extras: dict[str, Any]  # JSON values by name


def read_transcripts(path: Path) -> Iterator[Transcript]:
    """The runs of a JSON or JSON Lines file, one in memory at a time for the latter.

    A run is ``{"traj" | "messages": [...], ...}`` or a bare list of messages; a file holds a list
    of runs, a single run, or one of these on each line. Raise ``InputError``.
    """
    runs = (run for _, document in documents_in(path) for run in runs_in(document))
    for index, run in enumerate(runs):
        yield transcript_of(index, run)


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
    """Raise ``InputError`` naming the run and the message, both counted from 1."""
    where = f"Run {index + 1}"
    messages, extras = run, {}
    if isinstance(run, dict):
        field = next((name for name in MESSAGE_FIELDS if name in run), None)
        messages = None if field is None else run[field]
        extras = {name: value for name, value in run.items() if name != field}
    if not isinstance(messages, list):
        raise InputError(f'{where} has no list of messages (under "messages" or "traj").')
    if not messages:
        raise InputError(f"{where} has no messages: its list is empty.")
    for number, message in enumerate(messages, 1):
        check_message(message, f"{where}, message {number}")
    return Transcript(index, messages, extras)


def check_message(message: Any, where: str) -> None:  # any JSON value
    if not isinstance(message, dict):
        raise InputError(f"{where} is not an object.")
    role = message.get("role")
    if role is None:
        raise InputError(f"{where} has no role.")
    if not isinstance(role, str) or not role:
        raise InputError(f"{where} has a role that is not text.")
