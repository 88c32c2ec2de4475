"""Bulk changes in words: what is asked, what it does to a row, what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.texts import _, lazy, mark, ngettext
from app.models import BulkAction, BulkChange, BulkChangeRow, BulkResource
from app.pages.audit_view import as_text

A = BulkAction


@dataclass(frozen=True, slots=True)
class ActionWords:
    """``ask`` as on a button, ``done`` as of a result, ``label`` of the value it takes."""

    ask: str
    done: str
    icon: str
    label: str = ""
    hint: str = ""


ACTIONS: Mapping[BulkAction, ActionWords] = {
    A.PAUSE: ActionWords(mark("Pause %(things)s"), mark("Paused %(things)s"), "player-pause"),
    A.RESUME: ActionWords(mark("Resume %(things)s"), mark("Resumed %(things)s"), "player-play"),
    A.ADD_TAG: ActionWords(
        mark("Tag %(things)s"),
        mark("Tagged %(things)s"),
        "tag",
        lazy("Tag to add"),
        lazy("Up to 64 characters."),
    ),
    A.REMOVE_TAG: ActionWords(
        mark("Take the tag from %(things)s"),
        mark("Took the tag from %(things)s"),
        "tag-off",
        lazy("Tag to remove"),
    ),
    A.SET_MODEL: ActionWords(
        mark("Change the model of %(things)s"),
        mark("Changed the model of %(things)s"),
        "cpu",
        lazy("Model"),
        lazy("As your provider calls it, such as gpt-4o. Each agent gets a new revision."),
    ),
    A.SET_MAX_TOKENS: ActionWords(
        mark("Change the limit of %(things)s"),
        mark("Changed the limit of %(things)s"),
        "ruler-measure",
        lazy("Max tokens"),
        lazy("100 to 100,000. Each agent gets a new revision."),
    ),
    A.TRASH: ActionWords(mark("Trash %(things)s"), mark("Moved to the trash: %(things)s"), "trash"),
    A.RESTORE: ActionWords(mark("Restore %(things)s"), mark("Restored %(things)s"), "restore"),
    A.UNDO: ActionWords(
        mark("Undo the change of %(things)s"),
        mark("Took back the change of %(things)s"),
        "arrow-back-up",
    ),
}
FLAGS = {
    "is_active": (lazy("paused"), lazy("active")),
    "is_draft": (lazy("described"), lazy("draft")),
}
FIELDS = {
    "is_active": lazy("State"),
    "is_draft": lazy("State"),
    "deleted_at": lazy("In the trash"),
    "model_name": lazy("Model"),
    "max_tokens": lazy("Max tokens"),
    "live_revision": lazy("Live revision"),
    "tags": lazy("Tags"),
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


def things_of(resource: BulkResource, count: int) -> str:
    match resource:
        case BulkResource.AGENTS:
            return ngettext("%(num)s agent", "%(num)s agents", count)
        case BulkResource.TOOLS:
            return ngettext("%(num)s tool", "%(num)s tools", count)
    return ngettext("%(num)s run", "%(num)s runs", count)


def wording_of(change: BulkChange, changed: int) -> Wording:
    """``changed`` is how many rows it has changed, of which it tells once it is over."""
    words = ACTIONS[change.action]
    asked = change.would_change or change.total
    things = things_of(change.resource, changed if change.is_over else asked)
    value = f": {change.value}" if change.value else ""
    end = "?" if change.job_id is None else ""
    said = _(words.done if change.is_over else words.ask, things=things)
    path = f"/{change.resource.value}"
    return Wording(f"{said}{value}{end}", _(words.ask, things=things), things, words.icon, path)


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
        return _("no") if value is None else _("yes")
    if field == "live_revision" and value is not None:
        return f"r{value}"
    return as_text(value)
