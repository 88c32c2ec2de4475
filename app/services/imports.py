"""Imports of agents and tools: planned, shown, and written when somebody says so."""

from asyncio import to_thread
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.texts import lazy
from app.exceptions import AppError, Conflict, Invalid, NotFound
from app.models import Import
from app.schemas.imports import Mode, PlannedRow, RowState
from app.services.audit_events import AuditEventService, Changes
from app.services.bulk import attempt
from app.services.import_files import records_of, shown
from app.services.import_kinds import KINDS
from app.services.import_plans import Planner, by_name, only

KEPT = timedelta(hours=24)
AT_ONCE = 20  # rows in a transaction: whoever waits for one of them waits for a moment
WRITTEN = {Mode.CREATE: {RowState.NEW}, Mode.UPDATE: {RowState.NEW, RowState.CHANGED}}


class ImportService:
    """One's own imports; each row is written by the service of its resource."""

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session, self.actor = session, actor
        self._settings = settings

    def _planner(self, resource: str) -> Planner:
        planner = Planner(self.session, self.actor, self._settings, resource)
        self.actor.require(planner.service.writable)
        return planner

    async def preview(self, resource: str, file_name: str, data: bytes) -> Import:
        """Raise ``Invalid`` for a file that cannot be read; its rows are judged one by one."""
        planner = self._planner(resource)
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
        self._record("upload", row, {"rows": [None, len(rows)]})
        return row

    async def get(self, import_id: int, *, lock: bool = False) -> Import:
        """Raise ``NotFound`` for somebody else's, or when its time is over."""
        statement = select(Import).where(
            Import.id == import_id,
            Import.user_id == self.actor.user_id,
            Import.expires_at > func.clock_timestamp(),
        )
        found = await self.session.scalar(statement.with_for_update() if lock else statement)
        if found is None:
            raise NotFound(
                lazy("There is no such import, or its day is over. Upload the file again.")
            )
        self._planner(found.resource)  # requires what the resource asks for
        return found

    def over(self, session: AsyncSession) -> "ImportService":
        """The same in another unit of work."""
        return ImportService(session, self.actor, self._settings)

    async def begin(self, import_id: int, mode: Mode | None) -> None:
        """Say what is to be written; what was said first stays. Raise ``Invalid`` for nothing."""
        row = await self.get(import_id, lock=True)
        if row.mode is not None:
            return
        if mode is None:
            raise Invalid(lazy("Choose what is to be written."), field="mode")
        row.mode = mode.value
        states = states_of(row)
        changes: Changes = {state.value: [None, states.count(state)] for state in RowState}
        self._record("import", row, changes | {"mode": [None, mode.value]})

    def _record(self, action: str, row: Import, changes: Changes) -> None:
        told = {"file": [None, row.file_name]} | changes
        AuditEventService(self.session, self.actor).record(action, row.resource, None, told)

    async def go_on(self, import_id: int) -> int:
        """Write the next rows of what was begun: how many are left."""
        row = await self.get(import_id, lock=True)
        left = places_left(row)
        some = rows_at(row, left[:AT_ONCE])
        planner = self._planner(row.resource)
        await planner.tools.load({name for planned in some for name in planned.tools or ()})
        writer = Writer(planner)
        results = dict(row.results)
        for place, planned in zip(left, some, strict=False):
            found = await attempt(self.session, planned, writer.write)
            results[str(place)] = found.message if isinstance(found, AppError) else None
        row.results = results
        return max(0, len(left) - AT_ONCE)


class Writer:
    """Writes rows as they were planned; one that has changed since is refused."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    async def write(self, row: PlannedRow) -> Any:  # an agent or a tool
        service, kind = self._planner.service, self._planner.kind
        current = None if row.id is None else await service.get(row.id)
        values: dict[str, Any] = dict(row.values)
        if row.tools is not None:
            values["tool_ids"] = self._planner.tools.ids(row.tools, current)
        if kind.has_tools:
            values["note"] = "Imported from a file"
        if current is not None:
            return await service.update(
                current.id, kind.update.model_validate(values), row.row_version
            )
        stored = await by_name(service, [row.name])
        if only(stored.get(row.name, []), service.actor, service.noun) is not None:
            raise Conflict(
                lazy("Somebody made one of this name since the preview. Upload the file again.")
            )
        return await service.create(kind.create.model_validate(values))


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
