"""The dry run: what each row would become, by the rules that the change itself goes by.

Rows are changed in memory only and never flushed; what a rule asks of other rows is asked for many
rows at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, insert, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import beside
from app.exceptions import AppError
from app.models import Agent, RefreshToken, StaffSession, Tool, agent_tools
from app.models.base import JsonObject, table_of
from app.models.bulk_changes import BulkAction, BulkChange, BulkChangeRow, BulkOutcome
from app.services.agents import needs_tools
from app.services.audit_events import Changes, pending_changes
from app.services.bulk_actions import Act, Row, Service, already, put_back, try_on
from app.services.bulk_undos import UndoReader
from app.services.tools import in_use

CHUNK = 500
Reasons = dict[int, str]  # by row id


@dataclass(slots=True)
class Planned:
    """What would become of one row."""

    row_id: int
    label: str
    row_version: int | None
    outcome: BulkOutcome
    changes: Changes = field(default_factory=dict)
    reason: str | None = None

    def stored(self, change: BulkChange) -> JsonObject:
        names = ("row_id", "label", "row_version", "changes", "reason")
        values = {name: getattr(self, name) for name in names}
        return values | {"bulk_change_id": change.id, "outcome": self.outcome}


class Planner:
    """Of one bulk change. ``undoes`` reads what there is to put back, where it is an undo."""

    def __init__(self, service: Service, act: Act, undoes: UndoReader | None = None) -> None:
        self.session: AsyncSession = service.session
        self.service = service
        self.act = act
        self.undoes = undoes
        self._taken: set[tuple[int, str]] = set()

    async def plan(self, change: BulkChange, ids: Sequence[int]) -> None:
        """Store what would become of each row, and how many there are of each kind."""
        counts = dict.fromkeys(BulkOutcome, 0)
        for start in range(0, len(ids), CHUNK):
            planned = await self._chunk(ids[start : start + CHUNK])
            for one in planned:
                counts[one.outcome] += 1
            await self.session.execute(
                insert(table_of(BulkChangeRow)), [one.stored(change) for one in planned]
            )
        change.would_change = counts[BulkOutcome.PENDING]
        change.already_so = counts[BulkOutcome.UNCHANGED]
        change.would_refuse = counts[BulkOutcome.REFUSED]

    async def _chunk(self, ids: Sequence[int]) -> list[Planned]:
        wanted = await self.undoes.changes_of(ids) if self.undoes else {}
        rows = await self._rows(ids, trashed=self.act.reads_trash)
        if any("deleted_at" in changes for changes in wanted.values()):
            rows |= await self._rows(ids, trashed=True)
        since = await self.undoes.changed_since(rows.values(), wanted) if self.undoes else {}
        refused = since | await self._guarded(rows, wanted)
        wanted = wanted or await self._beside(rows)
        return [await self._one(i, rows.get(i), wanted.get(i, {}), refused) for i in ids]

    async def _beside(self, rows: Collection[int]) -> dict[int, Changes]:
        """What would change that is no column of the row."""
        if self.act.action is not BulkAction.END_SESSIONS:
            return {}
        logins = await logins_of(self.session, rows)
        return {user_id: {"sessions": [number, 0]} for user_id, number in logins.items()}

    async def _rows(self, ids: Sequence[int], *, trashed: bool) -> dict[int, Row]:
        """In a session of their own, which never flushes: what is tried on them is lost with it."""
        statement = self.service.visible(trashed=trashed)
        async with beside(self.session) as apart:
            found = await apart.scalars(statement.where(self.service.model.id.in_(ids)))
            return {row.id: row for row in found}

    async def _one(
        self, row_id: int, row: Row | None, wanted: Changes, refused: Reasons
    ) -> Planned:
        if row is None:
            name = f"{self.service.noun} {row_id}"
            return Planned(row_id, name, None, BulkOutcome.REFUSED, reason=self._missing())
        version = getattr(row, "row_version", None)
        planned = Planned(row_id, str(row)[:300], version, BulkOutcome.PENDING)
        try:
            await self._try(row, wanted)
        except AppError as error:
            refused = refused | {row_id: error.message}
        planned.changes = wanted if self.undoes else pending_changes(row) | wanted
        if row_id in refused:
            planned.outcome, planned.reason = BulkOutcome.REFUSED, refused[row_id]
        elif not planned.changes:
            planned.outcome, planned.reason = BulkOutcome.UNCHANGED, already(self.act.action)
        return planned

    def _missing(self) -> str:
        if self.undoes:
            return "It is in the trash, or gone."
        where = " in the trash" if self.act.reads_trash else ""
        return f"There is no such {self.service.noun}{where}."

    async def _try(self, row: Row, wanted: Changes) -> None:
        if self.undoes:
            trashes = "deleted_at" in wanted
            self.service.require(self.service.deletable if trashes else self.service.writable)
            put_back(row, wanted)
        else:
            await try_on(self.service, row, self.act)
        await self.service.check(row)

    # What a rule asks of other rows

    async def _guarded(self, rows: Mapping[int, Row], wanted: Mapping[int, Changes]) -> Reasons:
        undone = [c["deleted_at"][1] for c in wanted.values() if "deleted_at" in c]
        if self.act.action is BulkAction.TRASH or any(undone):
            return await self._used(rows) if self.service.model is Tool else {}
        if self.act.action is BulkAction.RESTORE or undone:
            return await self._not_restorable(rows)
        return {}

    async def _used(self, rows: Mapping[int, Row]) -> Reasons:
        """Tools that agents use stay out of the trash."""
        statement = (
            select(agent_tools.c.tool_id, func.count())
            .join(Agent, Agent.id == agent_tools.c.agent_id)
            .where(agent_tools.c.tool_id.in_(rows), Agent.deleted_at.is_(None))
            .group_by(agent_tools.c.tool_id)
        )
        found = await self.session.execute(statement)
        return {tool_id: in_use(agents).message for tool_id, agents in found}

    async def _not_restorable(self, rows: Mapping[int, Row]) -> Reasons:
        """Those whose name is taken meanwhile, and agents whose tools are in the trash."""
        if not hasattr(self.service.model, "name"):
            return {}
        reasons = await self._without_tools(rows) if self.service.model is Agent else {}
        taken = self._taken | await self._names_in_use(rows.values())
        [(_, text)] = self.service.conflicts.values()
        for row_id, row in sorted(rows.items()):
            name = (row.user_id, row.name)
            if name in taken:
                reasons.setdefault(row_id, text.format(row=row))
            elif row_id not in reasons:
                taken.add(name)
                self._taken.add(name)
        return reasons

    async def _names_in_use(self, rows: Iterable[Row]) -> set[tuple[int, str]]:
        model = self.service.model
        names = [(row.user_id, row.name) for row in rows]
        statement = select(model.user_id, model.name).where(
            model.deleted_at.is_(None), tuple_(model.user_id, model.name).in_(names)
        )
        return {(user_id, name) for user_id, name in await self.session.execute(statement)}

    async def _without_tools(self, rows: Mapping[int, Row]) -> Reasons:
        statement = (
            select(agent_tools.c.agent_id, func.string_agg(Tool.name, ", "))
            .join(Tool, Tool.id == agent_tools.c.tool_id)
            .where(agent_tools.c.agent_id.in_(rows), Tool.deleted_at.is_not(None))
            .group_by(agent_tools.c.agent_id)
        )
        found = await self.session.execute(statement)
        return {agent_id: needs_tools(names).message for agent_id, names in found}


async def logins_of(session: AsyncSession, user_ids: Collection[int]) -> dict[int, int]:
    """How many logins these people have that are not over: one query."""
    alive = [
        select(model.user_id).where(
            model.user_id.in_(user_ids),
            model.revoked_at.is_(None),
            model.expires_at > func.clock_timestamp(),
        )
        for model in (StaffSession, RefreshToken)
    ]
    logins = union_all(*alive).subquery()
    counted = select(logins.c.user_id, func.count()).group_by(logins.c.user_id)
    return {row[0]: row[1] for row in await session.execute(counted)}
