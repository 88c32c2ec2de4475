"""The record of who changed what, written in the change's own transaction."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import Select, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.secret_names import is_secret_field
from app.core.texts import lazy
from app.exceptions import NotFound
from app.models import ApiKey, AuditEvent, Base, User
from app.models.audit_events import WITHOUT_BATCHES
from app.schemas.audit_events import AuditFilters, AuditPageQuery, AuditQuery
from app.services.paging import Slice, parse_sort, read_slice

# The columns that hold credentials or what credentials are told by, of whatever table.
SECRET_FIELDS = frozenset(
    column.key
    for mapper in Base.registry.mappers
    for column in mapper.column_attrs
    if is_secret_field(column.key)
)
# Bookkeeping of the row itself, and what is computed from the other columns.
UNRECORDED_FIELDS = frozenset({"id", "created_at", "updated_at", "search", "content_sha256"})
MAX_VALUE_CHARACTERS = 200_000
# Kinds of things whose changes are told to who may see every one of the kind: the record itself is
# for superusers, and names what it is about.
TOLD_TO = {
    "agents": Permission.AGENTS_READ,
    "tools": Permission.TOOLS_READ,
    "api_keys": Permission.KEYS_MANAGE,
    "users": Permission.USERS_READ,
}
Changes = dict[str, Any]  # {field: [old, new]}, both JSON


def as_json(value: Any) -> Any:  # a column's value, made fit for JSON
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value[:MAX_VALUE_CHARACTERS]
        case Enum():
            return value.value
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case dict() | list():
            return value
        case _:
            return str(value)


def recorded(field: str, old: Any, new: Any) -> list[Any]:  # JSON values
    if field in SECRET_FIELDS:
        return [None if old is None else "secret", None if new is None else "changed"]
    return [as_json(old), as_json(new)]


def pending_changes(row: Base) -> Changes:
    """What the next flush will change in this row: ``{field: [old, new]}``."""
    changes: Changes = {}
    for name, old, new in touched_columns(row):
        if name not in UNRECORDED_FIELDS and old != new:
            changes[name] = recorded(name, old, new)
    return changes


def touched_columns(row: Base) -> list[tuple[str, Any, Any]]:
    """Columns that were set since the row was read, with the old value and the new one."""
    state = inspect(row)
    touched = state.mapper.column_attrs.keys() & state.committed_state.keys()
    if not touched:
        return []
    found = []
    # In the order of the columns; only those that were set are looked at, which are few.
    for name in (each.key for each in state.mapper.column_attrs if each.key in touched):
        history = get_history(row, name, PASSIVE_NO_INITIALIZE)
        if history.has_changes():
            old = history.deleted[0] if history.deleted else None
            found.append((name, old, history.added[0] if history.added else None))
    return found


def initial_values(row: Base) -> Changes:
    """What a new row holds, as changes from nothing; nulls are left out."""
    return {
        column.key: recorded(column.key, None, getattr(row, column.key))
        for column in inspect(row).mapper.column_attrs
        if column.key not in UNRECORDED_FIELDS
        and column.key in row.__dict__
        and getattr(row, column.key) is not None
    }


class AuditEventService:
    """Appends events for every other service, and reads them for superusers."""

    resource = "audit_events"
    # Why, where a change itself does not say: of every change of a bulk change.
    reason: str | None = None

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    def record(
        self,
        action: str,
        resource: str,
        row: Any,  # a model with an id; its text is the label
        changes: Changes,
        reason: str | None = None,
    ) -> AuditEvent:
        """Add the event to the session: it is stored with the change, or not at all."""
        event = AuditEvent(
            action=action,
            resource=resource,
            resource_id=getattr(row, "id", None),
            label=None if row is None else str(row)[:300],
            changes=changes,
            reason=reason or self.reason,
            actor_user_id=self.actor.user_id,
            actor_api_key_id=self.actor.api_key_id,
            via=self.actor.via,
            request_id=self.actor.request_id,
            ip=self.actor.ip,
        )
        self.session.add(event)
        return event

    def visible(self) -> Select[AuditEvent]:
        self.actor.require(Permission.AUDIT_READ)
        return select(AuditEvent)

    async def get(self, event_id: int) -> AuditEvent:
        event = await self.session.scalar(self.visible().where(AuditEvent.id == event_id))
        if event is None:
            raise NotFound(lazy("There is no such audit event."))
        return event

    def matching(self, query: AuditFilters) -> Select[AuditEvent]:
        statement = self.visible()
        ranges = {"since", "until", "range", "cursor", "limit", "batches"}
        for field, value in query.model_dump(exclude_none=True, exclude=ranges).items():
            statement = statement.where(getattr(AuditEvent, field) == value)
        if isinstance(query, AuditPageQuery) and query.hides_batches:
            statement = statement.where(WITHOUT_BATCHES)
        if query.since is not None:
            statement = statement.where(AuditEvent.at >= query.since)
        if query.until is not None:
            statement = statement.where(AuditEvent.at < query.until)
        return statement

    def record_export(self, form: str, query: AuditFilters) -> None:
        places = {"cursor", "limit", "range"}
        asked = query.model_dump(mode="json", exclude_none=True, exclude=places)
        if isinstance(query, AuditPageQuery) and query.hides_batches:
            asked["batches"] = "left out"
        changes = {"format": [None, form], "filter": [None, asked or None]}
        self.record("export", self.resource, None, changes)

    async def list_slice(self, query: AuditQuery, order: str | None = None) -> Slice[AuditEvent]:
        return await self.read(query, query.cursor, query.limit, order)

    async def read(
        self, query: AuditFilters, cursor: str | None, limit: int, order: str | None = None
    ) -> Slice[AuditEvent]:
        """Newest first, unless ``order`` is ``at``."""
        sort = parse_sort(order, {"at": AuditEvent.at}, AuditEvent.id, "-at")
        return await read_slice(self.session, self.matching(query), sort, cursor, limit)

    async def latest(self, limit: int) -> list[AuditEvent]:
        """The newest events that the actor is told of, for the dashboard."""
        told = [resource for resource, needed in TOLD_TO.items() if self.actor.may(needed)]
        statement = select(AuditEvent).where(AuditEvent.resource.in_(told))
        statement = statement.order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        return list(await self.session.scalars(statement.limit(limit)))

    async def actor_names(self, events: Sequence[AuditEvent]) -> dict[str, str]:
        """Names of the people and keys behind the events: ``user:7`` and ``key:3``; two queries."""
        users = {event.actor_user_id for event in events} - {None}
        keys = {event.actor_api_key_id for event in events} - {None}
        people = await self.session.execute(
            select(User.id, User.full_name).where(User.id.in_(users))
        )
        machines = await self.session.execute(
            select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(keys))
        )
        return {f"user:{row[0]}": row[1] for row in people} | {
            f"key:{row[0]}": row[1] for row in machines
        }

    async def last_change(self, row: Any) -> AuditEvent | None:
        """The newest event that moved the row's version."""
        statement = select(AuditEvent).where(
            AuditEvent.resource == row.__tablename__,
            AuditEvent.resource_id == row.id,
            AuditEvent.changes.has_key("row_version"),
        )
        return await self.session.scalar(statement.order_by(AuditEvent.id.desc()).limit(1))

    async def values_at(self, row: Any, version: int, current: dict[str, Any]) -> dict[str, Any]:
        """``current`` taken back to what it was at ``row_version`` ``version``.

        Every save records its old values, so the base of a three-way merge needs no copy.
        """
        statement = (
            select(AuditEvent.changes)
            .where(
                AuditEvent.resource == row.__tablename__,
                AuditEvent.resource_id == row.id,
                AuditEvent.changes["row_version"][1].as_integer() > version,
            )
            .order_by(AuditEvent.id.desc())
        )
        values = dict(current)
        for changes in await self.session.scalars(statement.limit(1000)):
            values |= {field: pair[0] for field, pair in changes.items() if field in values}
        return values
