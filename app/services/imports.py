"""Imports of agents and tools: planned, shown, and written when somebody says so."""

from asyncio import to_thread
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, joinedload

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.texts import lazy
from app.exceptions import Invalid, NotFound
from app.models import Import, JobKind
from app.models.base import JsonObject
from app.schemas.imports import Mode, PlannedRow, RowState
from app.services.audit_events import AuditEventService, Changes
from app.services.import_files import records_of, shown
from app.services.import_kinds import KINDS
from app.services.import_plans import Planner
from app.services.jobs import JobService

KEPT = timedelta(hours=24)
MOST_WAITING = 20  # files of one person that nobody has said a word about
WRITTEN = {Mode.CREATE: {RowState.NEW}, Mode.UPDATE: {RowState.NEW, RowState.CHANGED}}


class ImportService:
    """One's own imports; each row is written by the service of its resource."""

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session, self.actor = session, actor
        self._settings = settings

    def planner(self, resource: str) -> Planner:
        planner = Planner(self.session, self.actor, self._settings, resource)
        self.actor.require(planner.service.writable)
        return planner

    async def preview(self, resource: str, file_name: str, data: bytes) -> Import:
        """Raise ``Invalid`` for a file that cannot be read; its rows are judged one by one."""
        planner = self.planner(resource)
        # In a thread: others are served while megabytes are read.
        records = await to_thread(records_of, data, planner.kind.columns)
        rows = await planner.plan(records)
        row = Import(
            user_id=self.actor.user_id,
            resource=resource,
            file_name=shown(file_name or "file", 190),
            plan={"rows": [planned.model_dump(mode="json") for planned in rows]},
            results={},
            expires_at=await database_now(self.session) + KEPT,
        )
        self.session.add(row)
        await self.session.flush()  # the preview's address is its id
        gone = await self._forget_oldest()
        forgotten: Changes = {"forgotten": [gone, None]} if gone else {}
        self._record("upload", row, {"rows": [None, len(rows)]} | forgotten)
        return row

    async def _forget_oldest(self) -> list[int]:
        """Files may be large: of those that only wait, the newest stay. The ids of the others."""
        waiting = select(Import.id).where(
            Import.user_id == self.actor.user_id, Import.mode.is_(None)
        )
        oldest = waiting.order_by(Import.id.desc()).offset(MOST_WAITING)
        gone = delete(Import).where(Import.id.in_(oldest)).returning(Import.id)
        return sorted(await self.session.scalars(gone))

    async def get(self, import_id: int, *, lock: bool = False) -> Import:
        """Raise ``NotFound`` for somebody else's, or when its time is over."""
        if lock:
            # Read once it is ours: a join would show no job to who waited while one was asked for.
            await self.session.execute(
                self._own(import_id).with_only_columns(Import.id).with_for_update()
            )
        return await self._allowed(self._own(import_id).options(joinedload(Import.job)))

    async def to_mark(self, import_id: int) -> Import:
        """The same without its plan, which may be large; locked, so that no row is marked twice."""
        return await self._allowed(
            self._own(import_id).options(defer(Import.plan)).with_for_update()
        )

    def _own(self, import_id: int) -> Select[Import]:
        return select(Import).where(
            Import.id == import_id,
            Import.user_id == self.actor.user_id,
            Import.expires_at > func.clock_timestamp(),
        )

    async def _allowed(self, statement: Select[Import]) -> Import:
        found = await self.session.scalar(statement)
        if found is None:
            raise NotFound(
                lazy("There is no such import, or its day is over. Upload the file again.")
            )
        self.planner(found.resource)  # requires what the resource asks for
        return found

    def over(self, session: AsyncSession) -> "ImportService":
        """The same in another unit of work."""
        return ImportService(session, self.actor, self._settings)

    async def begin(self, import_id: int, mode: Mode | None) -> Import:
        """Say what is to be written; what was said first stays. Raise ``Invalid`` for nothing."""
        row = await self.get(import_id, lock=True)
        if row.mode is not None:
            return row
        if mode is None:
            raise Invalid(lazy("Choose what is to be written."), field="mode")
        row.mode = mode.value
        # What became of the rows can be read for as long as what was to become of them.
        row.expires_at = await database_now(self.session) + KEPT
        states = states_of(row)
        changes: Changes = {state.value: [None, states.count(state)] for state in RowState}
        self._record("import", row, changes | {"mode": [None, mode.value]})
        return row

    async def start(self, import_id: int, mode: Mode | None) -> Import:
        """Have what was said written, or the rest of it, as a job; one that is at it stays."""
        row = await self.begin(import_id, mode)
        left = places_left(row)
        if left and (row.job is None or not row.job.is_open):
            params: JsonObject = {"import_id": row.id, "resource": row.resource, "rows": len(left)}
            row.job = await JobService(self.session, self.actor).enqueue(
                JobKind.IMPORT_ROWS, params
            )
        return row

    def _record(self, action: str, row: Import, changes: Changes) -> None:
        told = {"file": [None, row.file_name]} | changes
        AuditEventService(self.session, self.actor).record(action, row.resource, None, told)


def states_of(row: Import) -> list[RowState]:
    """What is to become of each row, by its place in the plan."""
    return [RowState(planned["state"]) for planned in row.plan["rows"]]


def rows_at(row: Import, places: Iterable[int]) -> list[PlannedRow]:
    return [PlannedRow.model_validate(row.plan["rows"][place]) for place in places]


def places_left(row: Import) -> list[int]:
    """Of the rows that are to be written and were not tried yet."""
    if row.mode is None:
        return []
    wanted, states = WRITTEN[Mode(row.mode)], enumerate(states_of(row))
    return [place for place, state in states if state in wanted and str(place) not in row.results]


def known_fields(resource: str) -> list[str]:
    return sorted(KINDS[resource].fields)
