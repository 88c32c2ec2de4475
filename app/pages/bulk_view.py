"""Bulk changes in words: what is asked, what it does to a row, what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.wording import plural
from app.models import BulkAction, BulkChange, BulkChangeRow
from app.pages.audit_view import as_text

A = BulkAction


@dataclass(frozen=True, slots=True)
class ActionWords:
    """``verb`` as on a button, ``past`` as of a result, ``label`` of the value it takes."""

    verb: str
    past: str
    icon: str
    label: str = ""
    hint: str = ""


ACTIONS: Mapping[BulkAction, ActionWords] = {
    A.PAUSE: ActionWords("Pause", "Paused", "player-pause"),
    A.RESUME: ActionWords("Resume", "Resumed", "player-play"),
    A.ADD_TAG: ActionWords("Tag", "Tagged", "tag", "Tag to add", "Up to 64 characters."),
    A.REMOVE_TAG: ActionWords("Take the tag from", "Took the tag from", "tag-off", "Tag to remove"),
    A.SET_MODEL: ActionWords(
        "Change the model of",
        "Changed the model of",
        "cpu",
        "Model",
        "As your provider calls it, such as gpt-4o. Each agent gets a new revision.",
    ),
    A.SET_MAX_TOKENS: ActionWords(
        "Change the limit of",
        "Changed the limit of",
        "ruler-measure",
        "Max tokens",
        "100 to 100,000. Each agent gets a new revision.",
    ),
    A.TRASH: ActionWords("Trash", "Moved to the trash:", "trash"),
    A.RESTORE: ActionWords("Restore", "Restored", "restore"),
    A.UNDO: ActionWords("Undo the change of", "Took back the change of", "arrow-back-up"),
}
NOUNS = {"agents": "agent", "tools": "tool", "executions": "run"}
FLAGS = {"is_active": ("paused", "active"), "is_draft": ("described", "draft")}
FIELDS = {
    "is_active": "State",
    "is_draft": "State",
    "deleted_at": "In the trash",
    "model_name": "Model",
    "max_tokens": "Max tokens",
    "live_revision": "Live revision",
    "tags": "Tags",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """Of one bulk change: ``things`` are the rows that it would change, counted."""

    heading: str
    button: str
    things: str
    icon: str
    path: str


@dataclass(frozen=True, slots=True)
class RowLine:
    """A row with what changes in it: field, old and new value as text."""

    row: BulkChangeRow
    changes: list[tuple[str, str, str]]


def wording_of(change: BulkChange, changed: int) -> Wording:
    """``changed`` is how many rows it has changed, of which it tells once it is over."""
    words, noun = ACTIONS[change.action], NOUNS[change.resource.value]
    asked = change.would_change or change.total
    things = plural(changed if change.is_over else asked, noun)
    value = f": {change.value}" if change.value else ""
    verb = words.past if change.is_over else words.verb
    end = "?" if change.job_id is None else ""
    path = f"/{change.resource.value}"
    return Wording(
        f"{verb} {things}{value}{end}", f"{words.verb} {things}", things, words.icon, path
    )


def line_of(row: BulkChangeRow) -> RowLine:
    shown = [(name, pair) for name, pair in row.changes.items() if name != "row_version"]
    return RowLine(
        row,
        [
            (FIELDS.get(name, name), value_text(name, old), value_text(name, new))
            for name, (old, new) in shown
        ],
    )


def value_text(field: str, value: Any) -> str:  # a JSON value
    if field in FLAGS:
        return FLAGS[field][bool(value)]
    if field == "deleted_at":
        return "no" if value is None else "yes"
    if field == "live_revision" and value is not None:
        return f"r{value}"
    return as_text(value)
