"""Bulk changes in words: what is asked, what it does to a row, what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.actor import Actor
from app.core.permissions import Permission, Role
from app.core.texts import _, lazy, mark, ngettext
from app.core.wording import lazy_words
from app.core.zones import local
from app.models import BulkAction, BulkChange, BulkChangeRow, BulkResource, ListName
from app.pages.audit_view import as_text
from app.schemas.bulk_changes import ACTIONS as ACTIONS_OF
from app.schemas.bulk_changes import CONFIRMED, FINAL
from app.schemas.lists import LISTS
from app.services.bulk_actions import SERVICES, permission_of

A, R = BulkAction, BulkResource


@dataclass(frozen=True, slots=True)
class ActionWords:
    """``ask`` as on a button, ``done`` as of a result, ``label`` of the value it takes.

    ``kind`` is that of the value's field, and ``short`` what stands beside ticked rows.
    """

    ask: str
    done: str
    icon: str
    label: str = ""
    hint: str = ""
    kind: str = "text"
    choices: Sequence[tuple[str, str]] = ()
    short: str = ""


ACTIONS: Mapping[BulkAction, ActionWords] = {
    A.PAUSE: ActionWords(
        mark("Pause %(things)s"), mark("Paused %(things)s"), "player-pause", short=lazy("Pause")
    ),
    A.RESUME: ActionWords(
        mark("Resume %(things)s"), mark("Resumed %(things)s"), "player-play", short=lazy("Resume")
    ),
    A.ADD_TAG: ActionWords(
        mark("Tag %(things)s"),
        mark("Tagged %(things)s"),
        "tag",
        lazy("Tag to add"),
        lazy("Up to 64 characters."),
        short=lazy("Tag"),
    ),
    A.REMOVE_TAG: ActionWords(
        mark("Take the tag from %(things)s"),
        mark("Took the tag from %(things)s"),
        "tag-off",
        lazy("Tag to remove"),
        short=lazy("Remove a tag"),
    ),
    A.SET_MODEL: ActionWords(
        mark("Change the model of %(things)s"),
        mark("Changed the model of %(things)s"),
        "cpu",
        lazy("Model"),
        lazy("As your provider calls it, such as gpt-4o. Each agent gets a new revision."),
        short=lazy("Change the model"),
    ),
    A.SET_MAX_TOKENS: ActionWords(
        mark("Change the limit of %(things)s"),
        mark("Changed the limit of %(things)s"),
        "ruler-measure",
        lazy("Max tokens"),
        lazy("100 to 100,000. Each agent gets a new revision."),
        short=lazy("Change max tokens"),
    ),
    A.TRASH: ActionWords(
        mark("Trash %(things)s"),
        mark("Moved to the trash: %(things)s"),
        "trash",
        short=lazy("Trash"),
    ),
    A.RESTORE: ActionWords(
        mark("Restore %(things)s"), mark("Restored %(things)s"), "restore", short=lazy("Restore")
    ),
    A.DISABLE: ActionWords(
        mark("Disable %(things)s"),
        mark("Disabled %(things)s"),
        "user-off",
        short=lazy("Disable"),
    ),
    A.ENABLE: ActionWords(
        mark("Enable %(things)s"),
        mark("Enabled %(things)s"),
        "user-check",
        short=lazy("Enable"),
    ),
    A.SET_ROLE: ActionWords(
        mark("Change the role of %(things)s"),
        mark("Changed the role of %(things)s"),
        "user-shield",
        lazy("Role"),
        lazy("Their logins end: they come back in with the new role."),
        kind="select",
        choices=[(role.value, lazy_words(role.value)) for role in Role],
        short=lazy("Change the role"),
    ),
    A.END_SESSIONS: ActionWords(
        mark("End the sessions of %(things)s"),
        mark("Ended the sessions of %(things)s"),
        "logout",
        short=lazy("End sessions"),
    ),
    A.SET_EXPIRY: ActionWords(
        mark("Change the last day of %(things)s"),
        mark("Changed the last day of %(things)s"),
        "calendar-time",
        lazy("Last day"),
        lazy("The keys work until the end of this day, in your time zone."),
        kind="date",
        short=lazy("Change the last day"),
    ),
    A.REVOKE: ActionWords(
        mark("Revoke %(things)s"), mark("Revoked %(things)s"), "ban", short=lazy("Revoke")
    ),
    A.CANCEL: ActionWords(
        mark("Cancel %(things)s"),
        mark("Cancelled %(things)s"),
        "player-stop",
        short=lazy("Cancel"),
    ),
    A.RETRY: ActionWords(
        mark("Try %(things)s again"),
        mark("Tried %(things)s again"),
        "refresh",
        short=lazy("Try again"),
    ),
    A.UNDO: ActionWords(
        mark("Undo the change of %(things)s"),
        mark("Took back the change of %(things)s"),
        "arrow-back-up",
        short=lazy("Undo"),
    ),
}
LIST_NAMES: Mapping[BulkResource, str] = {
    R.AGENTS: lazy("Agents"),
    R.TOOLS: lazy("Tools"),
    R.EXECUTIONS: lazy("Executions"),
    R.USERS: lazy("Users"),
    R.API_KEYS: lazy("API keys"),
    R.JOBS: lazy("Jobs"),
}
# What stands beside ticked rows; the other actions are under "More".
FIRST: Mapping[BulkResource, tuple[BulkAction, ...]] = {
    R.AGENTS: (A.PAUSE, A.ADD_TAG, A.TRASH),
    R.TOOLS: (A.PAUSE, A.RESUME, A.TRASH),
    R.EXECUTIONS: (A.ADD_TAG, A.REMOVE_TAG, A.TRASH),
    R.USERS: (A.DISABLE, A.SET_ROLE, A.END_SESSIONS),
    R.API_KEYS: (A.REVOKE, A.PAUSE, A.SET_EXPIRY),
    R.JOBS: (A.CANCEL, A.RETRY),
}
IN_TRASH = (A.RESTORE,)
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
    "role": lazy("Role"),
    "sessions": lazy("Logins"),
    "expires_at": lazy("Works until"),
    "revoked_at": lazy("Revoked"),
    "paused_at": lazy("Paused"),
    "cancel_requested": lazy("To stop"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action beside ticked rows."""

    action: str
    text: str
    icon: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What may be done with ticked rows of a list: at hand, and under "More"."""

    resource: str
    first: Sequence[Offer]
    others: Sequence[Offer]
    export_path: str = ""

    @property
    def offers_any(self) -> bool:
        return bool(self.first or self.others)


def selection_of(actor: Actor, resource: BulkResource, *, trashed: bool = False) -> Selection:
    """What this person may do with rows of the list, or of the trash."""
    first = IN_TRASH if trashed else FIRST[resource]
    others = [a for a in ACTIONS_OF[resource] if not trashed and a not in (*first, A.RESTORE)]
    path = "" if trashed else f"{LISTS[ListName(resource)].path}/export"
    return Selection(
        resource.value, offers(actor, resource, first), offers(actor, resource, others), path
    )


def offers(actor: Actor, resource: BulkResource, actions: Sequence[BulkAction]) -> list[Offer]:
    if not actor.may(Permission.JOBS_WRITE):
        return []
    allowed = [a for a in actions if actor.may(permission_of(SERVICES[resource], a))]
    words = [(action, ACTIONS[action]) for action in allowed]
    return [Offer(action.value, each.short, each.icon) for action, each in words]


@dataclass(frozen=True, slots=True)
class Wording:
    """Of one bulk change: ``things`` are the rows that it would change, counted."""

    heading: str
    button: str
    things: str
    icon: str
    path: str
    # The word to type before it is started, where nothing brings back what it takes away.
    confirm: str = ""
    is_final: bool = False


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
        case BulkResource.USERS:
            return ngettext("%(num)s person", "%(num)s people", count)
        case BulkResource.API_KEYS:
            return ngettext("%(num)s key", "%(num)s keys", count)
        case BulkResource.JOBS:
            return ngettext("%(num)s job", "%(num)s jobs", count)
        case BulkResource.EXECUTIONS:
            return ngettext("%(num)s run", "%(num)s runs", count)


def wording_of(change: BulkChange, changed: int) -> Wording:
    """``changed`` is how many rows it has changed, of which it tells once it is over."""
    words = ACTIONS[change.action]
    asked = change.would_change or change.total
    things = things_of(change.resource, changed if change.is_over else asked)
    value = f": {value_said(change)}" if change.value else ""
    end = "?" if change.job_id is None else ""
    said = _(words.done if change.is_over else words.ask, things=things)
    return Wording(
        f"{said}{value}{end}",
        _(words.ask, things=things),
        things,
        words.icon,
        LISTS[ListName(change.resource)].path,
        change.action.value if change.action in CONFIRMED else "",
        change.action in FINAL,
    )


def value_said(change: BulkChange) -> str:
    text = change.value or ""
    return moment_text(text) if change.action is A.SET_EXPIRY else text


def moment_text(text: str) -> str:
    """In the zone of whoever looks."""
    return f"{local(datetime.fromisoformat(text)):%d %b %Y, %H:%M}".lstrip("0")


def line_of(row: BulkChangeRow, resource: BulkResource) -> RowLine:
    is_person = resource is R.USERS
    shown = [(name, pair) for name, pair in row.changes.items() if name != "row_version"]
    return RowLine(
        row,
        [
            (
                FIELDS.get(name, name),
                value_text(name, old, is_person=is_person),
                value_text(name, new, is_person=is_person),
            )
            for name, (old, new) in shown
        ],
    )


def value_text(field: str, value: Any, *, is_person: bool = False) -> str:  # a JSON value
    if field == "is_active" and is_person:
        return _("enabled") if value else _("disabled")
    if field in FLAGS:
        return FLAGS[field][bool(value)]
    if field == "deleted_at":
        return _("no") if value is None else _("yes")
    if field.endswith("_at"):
        return _("no") if value is None else moment_text(value)
    if field == "live_revision" and value is not None:
        return f"r{value}"
    return as_text(value)
