"""Changes of many rows: tried dry, started as a job, read row by row, and taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.database import database_now
from app.core.permissions import Permission
from app.core.texts import lazy, mark
from app.core.wording import number
from app.exceptions import Conflict, Invalid, ReauthenticationRequired
from app.models import JobKind, ListName, User
from app.models.base import JsonObject
from app.models.bulk_changes import (
    BulkAction,
    BulkChange,
    BulkChangeRow,
    BulkOutcome,
    BulkResource,
)
from app.schemas.base import MAX_BIGINT
from app.schemas.bulk_changes import (
    CONFIRMED,
    FINAL,
    MAX_ROWS,
    SENSITIVE,
    BulkChangeCreate,
    BulkChangeQuery,
    BulkChangeRead,
    BulkCounts,
    BulkRowQuery,
)
from app.schemas.lists import LISTS, PLACES
from app.services.base import BaseService
from app.services.bulk import unreadable
from app.services.bulk_actions import SERVICES, Act, Service, service_of
from app.services.bulk_plans import Planner
from app.services.bulk_undos import UndoReader
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.paging import Slice, read_slice

KEPT_FOR = timedelta(hours=24)
SHOWN_COUNT = 1_000
PROVE = lazy("Log in again, or enter your password at /reauthenticate.")
READ_FIELDS = BulkChangeRead.model_fields.keys() - {"rows", "status"}


@dataclass(frozen=True, slots=True)
class RowSlice:
    """Some rows by their id, and the cursor of those after them."""

    items: Sequence[BulkChangeRow]
    next_cursor: str | None


class BulkChangeService(BaseService[BulkChange, BulkChangeCreate, BaseModel]):
    """Whoever asks needs what the same change of one row needs, too."""

    model = BulkChange
    resource = "bulk_changes"
    noun = mark("bulk change")
    readable = Permission.JOBS_READ
    writable = Permission.JOBS_WRITE
    deletable = Permission.JOBS_WRITE
    filters = ("resource", "action", "user_id")

    def loads(self) -> Sequence[ExecutableOption]:
        user = joinedload(BulkChange.user).load_only(User.full_name)
        return (user, joinedload(BulkChange.job))

    def visible(self, *, trashed: bool = False) -> Select[BulkChange]:
        """Those of rows that one may read."""
        readable = [name for name, kind in SERVICES.items() if self.actor.may(kind.readable)]
        return super().visible(trashed=trashed).where(BulkChange.resource.in_(readable))

    def limited_to_agent(self, statement: Select[BulkChange]) -> Select[BulkChange]:
        """Bulk changes are about many agents."""
        return statement if self.actor.only_agent_id is None else statement.where(false())

    def target(self, resource: BulkResource) -> Service:
        """The service of the rows. Raise ``Forbidden`` for who may not read them."""
        service = service_of(resource, self.session, self.actor)
        self.actor.require(service.readable)
        return service

    def _allowed(self, resource: BulkResource, act: Act) -> Service:
        """The service of the rows, for who may change them so.

        Raise ``Forbidden``, and ``ReauthenticationRequired`` where the proof of who asks is old.
        """
        target = self.target(resource)
        target.require(act.permission(target))
        if resource in SENSITIVE and not self.actor.recently_authenticated:
            raise ReauthenticationRequired(PROVE)
        return target

    # Asking

    async def create(self, data: BulkChangeCreate) -> BulkChange:
        """The dry run, or the change itself. Raise ``Invalid`` when no rows are selected."""
        self.require(self.writable, new=True)
        act = Act.of(data.action, data.value, data.note)
        target = self._allowed(data.resource, act)
        ids = await self._selected(target, data)
        change = BulkChange(
            resource=data.resource,
            action=data.action,
            value=act.stored_value,
            note=data.note,
            selection={} if data.filter is None else {"filter": filters_in(data.filter)},
        )
        await self._plan(change, Planner(target, act), ids)
        if data.dry_run:
            return await self.get(change.id)
        return await self.start(change.id, confirm=data.confirm)

    async def undo(self, change_id: int, note: str | None = None, *, dry_run: bool) -> BulkChange:
        """The dry run of taking it back, or that itself. Raise ``Conflict`` before it has ended."""
        self.require(self.writable, new=True)
        undone = await self.get(change_id)
        if not undone.is_over:
            raise Conflict(lazy("Only a bulk change that was started and has ended can be undone."))
        if undone.action in FINAL:
            raise Conflict(lazy("Nothing can bring back what this bulk change took away."))
        act = Act(BulkAction.UNDO, note=note)
        target = self._allowed(undone.resource, act)
        changed = await self.session.scalars(
            select(BulkChangeRow.row_id)
            .where(*self._of(change_id, BulkOutcome.CHANGED))
            .order_by(BulkChangeRow.row_id)
        )
        ids = changed.all()
        if not ids:
            raise Conflict(lazy("This bulk change has changed no row."))
        change = BulkChange(
            resource=undone.resource,
            action=act.action,
            note=note,
            selection={},
            undo_of_id=undone.id,
        )
        reader = UndoReader(self.session, self.actor, undone)
        await self._plan(change, Planner(target, act, reader), ids)
        return await self.get(change.id) if dry_run else await self.start(change.id)

    async def _plan(self, change: BulkChange, planner: Planner, ids: Sequence[int]) -> None:
        change.user_id, change.api_key_id = self.actor.user_id, self.actor.api_key_id
        change.would_change = change.already_so = change.would_refuse = 0
        change.expires_at = await database_now(self.session) + KEPT_FOR
        self.session.add(change)
        await self.session.flush()  # its rows need its id
        await planner.plan(change, ids)
        await self.session.flush()  # the counts are what the event tells
        shown = ("resource", "action", "value", "undo_of_id", "would_change", "would_refuse")
        values = {name: getattr(change, name) for name in shown}
        changes = {name: [None, value] for name, value in values.items() if value is not None}
        self.audit.record("dry_run", self.resource, change, changes, change.note)

    async def start(
        self, change_id: int, note: str | None = None, confirm: str | None = None
    ) -> BulkChange:
        """Do it, as a job. Raise ``Conflict`` where it was started already, or changes nothing.

        Raise ``Invalid`` where it cannot be brought back and ``confirm`` is not its action's name.
        """
        self.require(self.writable)
        change = await self.get(change_id, lock=True)
        if change.job_id is not None:
            raise Conflict(
                lazy("This bulk change was started already (job %(job_id)s).", job_id=change.job_id)
            )
        if not change.would_change:
            raise Conflict(lazy("There is nothing to change: see what was found of each row."))
        self._allowed(change.resource, Act(change.action))
        if change.action in CONFIRMED and confirm != change.action.value:
            text = lazy(
                'This cannot be undone: confirm it with the word "%(word)s".',
                word=change.action.value,
            )
            raise Invalid(text, field="confirm")
        params: JsonObject = {
            "bulk_change_id": change.id,
            "resource": change.resource.value,
            "action": change.action.value,
            "rows": change.would_change,
        }
        job = await JobService(self.session, self.actor).enqueue(JobKind.BULK_CHANGE, params)
        change.job, change.note = job, note or change.note
        change.started_at, change.expires_at = await database_now(self.session), None
        await self.session.flush()  # the job finds it started
        self.audit.record("start", self.resource, change, {"job_id": [None, job.id]}, change.note)
        return await self.get(change_id)

    # Which rows

    async def _selected(self, target: Service, data: BulkChangeCreate) -> list[int]:
        if data.ids is not None:
            return sorted(set(data.ids))
        statement = self._matching(target, data.resource, data.filter or {})
        column, model = target.sorting(None).column, target.model
        rows = await self.session.scalars(
            statement.with_only_columns(model.id).order_by(column, model.id).limit(MAX_ROWS + 1)
        )
        ids = sorted(rows)
        if len(ids) > MAX_ROWS:
            raise Invalid(
                lazy(
                    "More than %(max_rows)s %(resource)s match. Narrow the "
                    "filter, and change the others after these.",
                    max_rows=number(MAX_ROWS),
                    resource=target.resource,
                ),
                field="filter",
            )
        return some(ids)

    def _matching(self, target: Service, resource: BulkResource, asked: JsonObject) -> Any:
        """A select of the rows that their list shows for these parameters."""
        try:
            query: Any = LISTS[ListName(resource)].query.model_validate(filters_in(asked))
        except ValidationError as error:
            raise unreadable(error) from error
        return (
            target.filtered(query)
            if isinstance(target, ExecutionService)
            else target.matching(query)
        )

    async def count_matching(self, resource: BulkResource, asked: JsonObject) -> int:
        """How many rows match, counted no further than ``SHOWN_COUNT`` and one."""
        target = self.target(resource)
        rows = self._matching(target, resource, asked).with_only_columns(target.model.id)
        bounded = rows.order_by(None).limit(SHOWN_COUNT + 1)
        counted = select(func.count()).select_from(bounded.subquery())
        return await self.session.scalar(counted) or 0

    # Reading

    def _of(self, change_id: int, outcome: BulkOutcome | None) -> list[Any]:  # conditions
        rules: list[Any] = [BulkChangeRow.bulk_change_id == change_id]
        return rules if outcome is None else [*rules, BulkChangeRow.outcome == outcome]

    async def rows(self, change: BulkChange, query: BulkRowQuery) -> RowSlice:
        """Its rows by their id: one query. Raise ``Invalid`` for a cursor that is none."""
        self.target(change.resource)
        statement = select(BulkChangeRow).where(*self._of(change.id, query.outcome))
        if query.cursor is not None:
            statement = statement.where(BulkChangeRow.row_id > id_in(query.cursor))
        ordered = statement.order_by(BulkChangeRow.row_id).limit(query.limit + 1)
        found = list(await self.session.scalars(ordered))
        shown = found[: query.limit]
        more = len(found) > query.limit
        return RowSlice(shown, str(shown[-1].row_id) if more else None)

    async def list_changes(
        self, query: BulkChangeQuery, order: str | None = None
    ) -> Slice[BulkChange]:
        """Newest first, unless ``order`` is another: one query."""
        statement = self.visible().options(*self.loads())
        for field in self.filters:
            if (value := getattr(query, field)) is not None:
                statement = statement.where(getattr(BulkChange, field) == value)
        sort = self.sorting(order)
        return await read_slice(self.session, statement, sort, query.cursor, query.limit)

    async def counts(self, change: BulkChange) -> BulkCounts:
        """How many of its rows stand where."""
        return (await self.counts_of([change.id]))[change.id]

    async def counts_of(self, change_ids: Sequence[int]) -> dict[int, BulkCounts]:
        """The same of several that were read before: one query."""
        statement = (
            select(BulkChangeRow.bulk_change_id, BulkChangeRow.outcome, func.count())
            .where(BulkChangeRow.bulk_change_id.in_(change_ids))
            .group_by(BulkChangeRow.bulk_change_id, BulkChangeRow.outcome)
        )
        found = {(row[0], row[1]): row[2] for row in await self.session.execute(statement)}
        return {
            i: BulkCounts(**{each.value: found.get((i, each), 0) for each in BulkOutcome})
            for i in change_ids
        }

    async def read(self, change: BulkChange) -> BulkChangeRead:
        """As it is answered, with where its rows stand now."""
        return (await self.read_each([change]))[0]

    async def read_each(self, changes: Sequence[BulkChange]) -> list[BulkChangeRead]:
        """The same of several: one query."""
        counts = await self.counts_of([change.id for change in changes])
        return [read_of(change, counts[change.id]) for change in changes]

    async def undone_by(self, change: BulkChange) -> BulkChange | None:
        """The newest undo of it that was started."""
        statement = (
            self.visible()
            .where(BulkChange.undo_of_id == change.id, BulkChange.job_id.is_not(None))
            .order_by(BulkChange.id.desc())
            .limit(1)
        )
        return await self.session.scalar(statement)


def read_of(change: BulkChange, rows: BulkCounts) -> BulkChangeRead:
    columns = {name: getattr(change, name) for name in READ_FIELDS}
    status = "dry_run" if change.job is None else change.job.status.value
    return BulkChangeRead(**columns, rows=rows, status=status)


def filters_in(asked: JsonObject) -> JsonObject:
    return {name: value for name, value in asked.items() if name not in PLACES}


def some(ids: Sequence[int]) -> list[int]:
    if not ids:
        raise Invalid(lazy("No rows are selected."), field="ids")
    return list(ids)


def id_in(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= MAX_BIGINT):
        raise Invalid(
            lazy("The cursor is not valid. Use next_cursor of an earlier answer."), field="cursor"
        )
    return int(cursor)
