"""The one write door: visibility, permission, optimistic lock, flush and audit, once for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.base import ExecutableOption

from app.core.actor import Actor
from app.core.database import database_now
from app.core.database_errors import constraint_of
from app.core.events import Event, publish
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict, Forbidden, NotFound, StaleVersion
from app.models.base import Base
from app.schemas.base import PageQuery, Patch
from app.services.audit_events import (
    AuditEventService,
    Changes,
    initial_values,
    pending_changes,
)
from app.services.paging import Slice, Sort, SortColumn, parse_sort, read_slice
from app.services.saves import Edit, Saved
from app.services.search import matches
from app.services.webhook_events import Change
from app.services.webhook_outbox import note_change, note_changes

M = TypeVar("M", bound=Base)
C = TypeVar("C", bound=BaseModel)
U = TypeVar("U", bound=BaseModel)
Columns = Select[*tuple[Any, ...]]  # of any types

COUNT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Listing(Generic[M]):
    """A numbered page of rows, and how many there are in all, or at least."""

    items: Sequence[M]
    total: int
    total_is_exact: bool


class BaseService(Generic[M, C, U]):
    """Rules of one resource for one actor in one session.

    ``M`` has ``id``; where it has ``user_id`` it is owned, where ``deleted_at`` it has a trash,
    where ``row_version`` it is locked optimistically.
    """

    model: ClassVar[Any]  # the M of the subclass; class variables cannot be generic
    resource: ClassVar[str]
    noun: ClassVar[str]
    readable: ClassVar[Permission]
    writable: ClassVar[Permission]
    deletable: ClassVar[Permission]
    # Whether ``limited_to_agent`` keeps keys of one agent to rows of theirs.
    belongs_to_agent: ClassVar[bool] = False
    # Whether changes are announced in the rooms ``<resource>`` and ``<noun>:<id>``.
    is_live: ClassVar[bool] = False
    sorts: ClassVar[tuple[str, ...]] = ("created_at",)
    default_sort: ClassVar[str] = "-created_at"
    filters: ClassVar[tuple[str, ...]] = ()
    # What to say when a unique index refuses a row: constraint -> (field, message).
    conflicts: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    # Reading

    def loads(self) -> Sequence[ExecutableOption]:
        """The relations that every answer of this resource shows."""
        return ()

    def owned(self) -> ColumnElement[bool] | None:
        """The row rule for actors who do not see everything."""
        return self.model.user_id == self.actor.user_id  # type: ignore[no-any-return]  # ClassVar

    def visible(self, *, trashed: bool = False) -> Select[M]:
        """The only way to select: what this actor may see, trash apart.

        Who may change a row is answered with it, so any of the permissions will do here; what may
        be read by itself is decided at the door.
        """
        if not any(self.actor.may(p) for p in (self.writable, self.deletable)):
            self.actor.require(self.readable)
        statement = select(self.model)
        if hasattr(self.model, "deleted_at"):
            deleted = self.model.deleted_at
            statement = statement.where(deleted.is_not(None) if trashed else deleted.is_(None))
        rule = None if self.actor.sees_all_rows else self.owned()
        if rule is not None:
            statement = statement.where(rule)
        return self.limited_to_agent(statement)

    def limited_to_agent(self, statement: Select[M]) -> Select[M]:
        """Keys that belong to one agent see nothing of the others; resources say how."""
        return statement

    def visible_in(self, statement: Columns) -> Columns:
        """``statement``, which selects columns of the model, over the visible rows alone."""
        rule = self.visible().whereclause
        return statement if rule is None else statement.where(rule)

    async def find(self, row_id: int, *, trashed: bool = False, lock: bool = False) -> M | None:
        statement = self.visible(trashed=trashed).where(self.model.id == row_id)
        statement = self._locked(statement) if lock else statement
        row: M | None = await self.session.scalar(statement.options(*self.loads()))
        return row

    def _locked(self, statement: Select[M]) -> Select[M]:
        """Loaded before or not, a locked row is read afresh: the version check depends on it."""
        locked = statement.with_for_update(of=self.model)
        return locked.execution_options(populate_existing=True)

    async def get(self, row_id: int, *, trashed: bool = False, lock: bool = False) -> M:
        """Raise ``NotFound`` when it does not exist or is not this actor's to see."""
        row = await self.find(row_id, trashed=trashed, lock=lock)
        if row is None:
            raise self.no_such_row()
        return row

    async def get_each(self, row_ids: Sequence[int], *, lock: bool = False) -> list[M]:
        """As ``get`` of each, in as few queries; locked in one order for everyone."""
        statement = self.visible().where(self.model.id.in_(row_ids)).order_by(self.model.id)
        statement = self._locked(statement) if lock else statement
        found = await self.session.scalars(statement.options(*self.loads()))
        rows: dict[int, M] = {row.id: row for row in found}  # type: ignore[attr-defined]  # every M has one
        if not rows.keys() >= set(row_ids):
            raise self.no_such_row()
        return [rows[row_id] for row_id in row_ids]

    def no_such_row(self) -> NotFound:
        return NotFound(lazy("There is no such %(noun)s.", noun=lazy(self.noun)))

    def matching(self, query: PageQuery) -> Select[M]:
        """The visible rows that the query asks for."""
        statement = self.visible()
        if query.q:
            statement = statement.where(matches(self.model.search, query.q))
        if query.ids:
            statement = statement.where(self.model.id.in_(query.ids))
        for field in self.filters:
            value = getattr(query, field)
            if value is not None:
                statement = statement.where(getattr(self.model, field) == value)
        return statement

    @classmethod
    def sorting(cls, text: str | None) -> Sort:
        """Raise ``Invalid`` for an order that the list does not have."""
        allowed: dict[str, SortColumn] = {name: getattr(cls.model, name) for name in cls.sorts}
        return parse_sort(text, allowed, cls.model.id, cls.default_sort)

    async def list_page(self, query: PageQuery) -> Listing[M]:
        """A numbered page: two queries and a fixed number for relations.

        Rows are counted no further than ``COUNT_LIMIT`` and one. Where there are more, the total
        is what is known: at least those up to here and the next one; on the last page, all.
        """
        statement, sort = self.matching(query), self.sorting(query.sort)
        columns: tuple[InstrumentedAttribute[Any], ...] = (sort.column, sort.identity)
        ordered = statement.order_by(*(c.desc() if sort.descending else c.asc() for c in columns))
        page = ordered.options(*self.loads()).limit(query.size + 1).offset(query.offset)
        rows = list(await self.session.scalars(page))
        counted, seen = await self.count(statement), query.offset + len(rows)
        is_last = 0 < len(rows) <= query.size
        is_exact = counted <= COUNT_LIMIT or is_last
        total = counted if counted <= COUNT_LIMIT else seen if is_last else max(counted, seen)
        return Listing(rows[: query.size], total, is_exact)

    async def list_slice(
        self, query: PageQuery, cursor: str | None, limit: int, *, trashed: bool = False
    ) -> Slice[M]:
        """The next rows after a cursor: one query and a fixed number for relations."""
        statement = self.visible(trashed=True) if trashed else self.matching(query)
        sort = self.sorting(query.sort)
        return await read_slice(self.session, statement.options(*self.loads()), sort, cursor, limit)

    async def count(self, statement: Select[M] | None = None) -> int:
        """How many rows, counted no further than ``COUNT_LIMIT`` and one."""
        rows = self.visible() if statement is None else statement
        bounded = rows.with_only_columns(self.model.id).order_by(None).limit(COUNT_LIMIT + 1)
        counted = select(func.count()).select_from(bounded.subquery())
        return await self.session.scalar(counted) or 0

    # Writing

    async def values_for(self, data: C | U) -> dict[str, Any]:
        """Column values of the fields that were sent; services add what else they derive."""
        sent = data.model_fields_set if isinstance(data, Patch) else None
        return {
            name: getattr(data, name)
            for name in (type(data).model_fields if sent is None else sent)
        }

    async def check(self, row: M) -> None:
        """Rules over the whole row, before it is flushed. Raises ``Invalid`` or ``Conflict``."""

    async def extra_changes(self, row: M, values: dict[str, Any]) -> Changes:
        """Apply values that are no columns and say what they change, for the audit."""
        return {}

    async def before_each(self, items: Sequence[C | U]) -> None:
        """Look up for all of them together what each of them needs."""

    async def written(self, row: M, changes: Changes, note: str | None) -> None:
        """What follows from a create or an update, in the same transaction."""

    async def written_each(self, saves: Sequence[Saved[M]]) -> None:
        """As ``written``; services say how where it takes fewer statements together."""
        for one in saves:
            await self.written(one.row, one.changes, one.note)

    def require(self, permission: Permission, *, new: bool = False) -> None:
        """Raise ``Forbidden`` without it, or for a key of one agent that reaches beyond it."""
        self.actor.require(permission)
        if self.actor.only_agent_id is not None and (new or not self.belongs_to_agent):
            raise Forbidden(lazy("This key is limited to one agent."))

    async def create(self, data: C) -> M:
        return (await self.create_together([data]))[0]

    async def create_together(self, items: Sequence[C]) -> list[M]:
        """As ``create`` of each, in as many statements as for one: all of them, or none."""
        self.require(self.writable, new=True)
        await self.before_each(items)
        made: list[Saved[Any]] = [await self._new(data) for data in items]  # each of an M
        self.session.add_all(one.row for one in made)
        # The audit events and what hangs on the rows need their ids.
        await self.flush(*(one.row for one in made))
        for one in made:
            one.changes = initial_values(one.row) | one.changes
        await self._record("create", made)
        return await self.get_each([one.row.id for one in made])

    async def _new(self, data: C) -> Saved[M]:
        values = await self.values_for(data)
        note = values.pop("note", None)
        columns = {key: values.pop(key) for key in list(values) if self.has_column(key)}
        if hasattr(self.model, "user_id"):
            columns.setdefault("user_id", self.actor.user_id)
        row: M = self.model(**columns)
        await self.check(row)
        return Saved(row, await self.extra_changes(row, values), note)

    async def update(self, row_id: int, data: U, version: int | None = None) -> M:
        """Change the fields that were sent. Raise ``StaleVersion`` when ``version`` is old."""
        return (await self.update_together([Edit(row_id, data, version)]))[0]

    async def update_together(self, edits: Sequence[Edit[U]]) -> list[M]:
        """As ``update`` of each, in one statement a row beside those for all: all, or none."""
        self.require(self.writable)
        ids = [edit.row_id for edit in edits]
        if len(set(ids)) < len(ids):
            raise Conflict(lazy("One row cannot be changed twice at once."))
        rows = await self.get_each(ids, lock=True)
        for row, edit in zip(rows, edits, strict=True):
            self.check_version(row, edit.version)
        await self.before_each([edit.data for edit in edits])
        saves = [await self._changed(row, e.data) for row, e in zip(rows, edits, strict=True)]
        await self.save_together("update", saves)
        return rows

    async def _changed(self, row: M, data: U) -> Saved[M]:
        values = await self.values_for(data)
        note = values.pop("note", None)
        for key in list(values):
            if self.has_column(key):
                setattr(row, key, values.pop(key))
        return Saved(row, await self.extra_changes(row, values), note)

    async def save(
        self, action: str, row: M, extra: Changes | None = None, note: str | None = None
    ) -> None:
        """Check, flush and record a changed row; a save that changes nothing leaves no trace."""
        await self.save_together(action, [Saved(row, extra or {}, note)])

    async def save_together(self, action: str, saves: Sequence[Saved[M]]) -> None:
        """As ``save`` of each."""
        for one in saves:
            await self.check(one.row)
            one.changes = pending_changes(one.row) | one.changes
        changed = [one for one in saves if one.changes]
        if not changed:
            return
        versions = [one.version for one in changed]
        for one in changed:
            if one.version is not None:
                # A change of relations alone must move the version too.
                one.row.updated_at = func.clock_timestamp()  # type: ignore[attr-defined]  # versioned
        await self.flush(*(one.row for one in changed))
        for one, version in zip(changed, versions, strict=True):
            if version is not None:
                one.changes["row_version"] = [version, one.version]
        await self._record(action, changed)

    async def _record(self, action: str, saves: Sequence[Saved[M]]) -> None:
        """Put on record what was written, tell of it, and do what follows from it."""
        for one in saves:
            self.audit.record(action, self.resource, one.row, one.changes, one.note)
            self.announce(action, one.row)
        told = [Change(self.resource, action, one.row, one.changes) for one in saves]
        await note_changes(self.session, self.actor, told)
        await self.written_each(saves)

    async def delete(self, row_id: int, version: int | None = None) -> None:
        """Move to the trash. Raise ``StaleVersion`` when ``version`` is old."""
        self.require(self.deletable)
        row: Any = await self.get(row_id, lock=True)  # any model with a trash
        self.check_version(row, version)
        row.deleted_at = await database_now(self.session)
        await self.save("delete", row)

    async def restore(self, row_id: int) -> M:
        """Bring back from the trash. Raise ``Conflict`` when the name is taken meanwhile."""
        self.require(self.deletable)
        row: Any = await self.get(row_id, trashed=True, lock=True)  # any model with a trash
        row.deleted_at = None
        await self.save("restore", row)
        return await self.get(row_id)

    def announce(self, action: str, row: M) -> None:
        """Tell who watches that there is something new to fetch, once this is committed.

        Also who watches its agent; an owner may not hear of every row. That says the same for each
        row, so of many at once the agent's room hears once.
        """
        if not self.is_live:
            return
        data = {"id": row.id}  # type: ignore[attr-defined]  # every M has one
        rooms = (self.resource, f"{self.noun}:{data['id']}")
        publish(self.session, *(Event(room, action, data) for room in rooms))
        agent_id = getattr(row, "agent_id", None)
        if agent_id is not None:
            publish(self.session, Event(f"agent:{agent_id}", self.noun, {"id": agent_id}))

    async def tell(self, action: str, row: M, changes: Changes) -> None:
        """Store what webhooks are to be told of this, with the change itself."""
        await note_change(self.session, self.actor, Change(self.resource, action, row, changes))

    async def flush(self, *rows: M) -> None:
        """Send the rows to the database, with the violation of one put in the user's words.

        Of several nobody can say which it was.
        """
        # Worded before the flush: where it fails, the row's values are expired.
        worded = {
            name: (field, text.format(row=row))
            for row in rows
            for name, (field, text) in self.conflicts.items()
            if len(rows) == 1
        }
        try:
            await self.session.flush()
        except IntegrityError as error:
            field, message = worded.get(constraint_of(error) or "", ("", ""))
            if not message:
                raise
            raise Conflict(message, field=field) from error

    def check_version(self, row: M, version: int | None) -> None:
        current = getattr(row, "row_version", None)
        if version is not None and version != current:
            raise StaleVersion(
                lazy(
                    "Someone saved this %(noun)s in between: you have version "
                    "%(version)s, it is now %(current)s.",
                    noun=lazy(self.noun),
                    version=version,
                    current=current,
                )
            )

    def has_column(self, name: str) -> bool:
        return name in self.model.__mapper__.columns
