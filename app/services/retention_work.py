"""Removing what is older than it is kept for, in bounded steps that can be repeated."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import HourlyFigures, RetentionState, StaleHour
from app.services.audit_events import AuditEventService, pending_changes
from app.services.retention import RetentionService
from app.services.retention_rules import (
    MONTHS_TO_DROP,
    REMOVE_ORIGINS,
    REMOVE_RUNS,
    REMOVE_THEIR_BODIES,
    Rule,
)

RUNS_AT_ONCE, ORIGINS_AT_ONCE = 500, 5_000


@dataclass(frozen=True, slots=True)
class Month:
    partitioned: str
    month: date

    def __str__(self) -> str:
        return f"{self.partitioned.replace('_', ' ')} of {self.month:%B %Y}"


class NotSummed(Exception):
    """Runs of these months still wait to be summed; in a minute or so they are."""


class RetentionWork:
    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.service = RetentionService(session, actor, settings)
        self.audit = AuditEventService(session, actor)

    async def advance(self) -> None:
        """Say how far back things are kept from now on. Raise ``NotSummed``."""
        state = await self._state()
        runs = await self.service.horizon(self.settings.executions_kept_days)
        bodies = await self.service.horizon(self.settings.execution_bodies_kept_days)
        if runs is not None and (state.runs_before is None or runs > state.runs_before):
            await self._require_sums(runs)
            state.runs_before = runs
        if bodies is not None and (state.bodies_before is None or bodies > state.bodies_before):
            state.bodies_before = bodies
        changes = pending_changes(state)
        if changes:
            await self.session.flush()
            self.audit.record("advance", self.service.resource, None, changes)

    async def _state(self) -> RetentionState:
        return (await self.session.scalars(select(RetentionState).with_for_update())).one()

    async def _require_sums(self, before: datetime) -> None:
        marked = exists().where(
            StaleHour.figures == HourlyFigures.EXECUTIONS, StaleHour.hour < before
        )
        if await self.session.scalar(select(marked)):
            raise NotSummed

    async def months(self) -> list[Month]:
        """Those of steps and bodies that are over, the oldest first."""
        return [Month(*row) for row in await self.session.execute(MONTHS_TO_DROP)]

    async def drop(self, month: Month) -> int:
        """All of it but what is spared: how many rows went."""
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        dropped = select(func.drop_month(month.partitioned, month.month))
        return int(await self.session.scalar(dropped) or 0)

    async def remove_runs(self, after: datetime | None = None) -> tuple[int, datetime | None]:
        """The oldest ``RUNS_AT_ONCE`` with all that hangs on them: how many went, and up to when.

        Going on ``after`` that spares looking at those again that stay.
        """
        parameters = {"at_once": RUNS_AT_ONCE, "after": after}
        gone = (await self.session.execute(REMOVE_RUNS, parameters)).all()
        if gone:
            traces = [row.trace_id for row in gone]
            await self.session.execute(REMOVE_THEIR_BODIES, {"traces": traces})
        return len(gone), max((row.started_at for row in gone), default=after)

    async def remove_origins(self) -> int:
        """What made steps of which none is left, ``ORIGINS_AT_ONCE`` at most: how many went."""
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        gone = await self.session.execute(REMOVE_ORIGINS, {"at_once": ORIGINS_AT_ONCE})
        return len(gone.all())

    async def finish(self, removed: dict[str, int]) -> None:
        """The next round waits for another month to end."""
        state = await self._state()
        state.runs_done_before, state.bodies_done_before = state.runs_before, state.bodies_before
        await self.session.flush()
        changes = {name: [None, count] for name, count in removed.items() if count}
        if changes:
            self.audit.record("remove", self.service.resource, None, changes)

    async def remove(self, rule: Rule) -> int:
        """``rule.at_once`` rows at most: how many went."""
        kept = timedelta(days=rule.days(self.settings))
        parameters = {"kept": kept, "at_once": rule.at_once}
        gone = await self.session.execute(text(f"{rule.remove} RETURNING id"), parameters)
        return len(gone.all())
