"""What nobody needs any more is removed, and what nobody finished is said to be so."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.partitions import ensure_partitions
from app.models import AgentRun, Execution, IdempotencyKey, RefreshToken, StaffSession, UserToken
from app.models.executions import OPEN_STATUSES, ExecutionStatus
from app.services.executions import ExecutionService

AT_ONCE = 5_000
STALLED_AT_ONCE = 200
# Ended sessions and tokens are shown, and reuse of them noticed, for a while.
KEPT: dict[Any, timedelta] = {  # mapped classes with expires_at
    StaffSession: timedelta(days=30),
    RefreshToken: timedelta(days=30),
    UserToken: timedelta(days=30),
    IdempotencyKey: timedelta(0),
}
QUEUE_LOG = text("DELETE FROM pgqueuer.log WHERE created < now() - interval '7 days'")
QUEUE_SUMS = text("DELETE FROM pgqueuer.statistics WHERE created < now() - interval '7 days'")


class UpkeepService:
    """Each step is bounded and safe to repeat; the next round does what is left."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def remove_expired(self) -> int:
        """Sessions, tokens and kept answers whose time is long over: how many were removed."""
        removed = 0
        for model, kept in KEPT.items():
            over = model.expires_at < func.clock_timestamp() - kept
            ids = select(model.id).where(over).limit(AT_ONCE).with_for_update(skip_locked=True)
            gone = await self.session.scalars(
                delete(model).where(model.id.in_(ids)).returning(model.id),
                execution_options={"synchronize_session": False},
            )
            removed += len(gone.all())
        return removed

    async def prune_queue(self) -> None:
        """What the queue notes of its own work; the jobs themselves stay."""
        await self.session.execute(QUEUE_LOG)
        await self.session.execute(QUEUE_SUMS)

    async def make_partitions(self) -> None:
        await ensure_partitions(await self.session.connection())

    async def mark_stalled(self, after: timedelta) -> int:
        """Open runs without news for so long are stalled, until there are news: how many."""
        silent = Execution.updated_at < func.clock_timestamp() - after
        # Those that are run here are looked after apart: they may wait for their caller for long.
        is_ours = exists().where(AgentRun.execution_id == Execution.id)
        statement = (
            select(Execution)
            .where(
                Execution.status.in_(OPEN_STATUSES),
                silent,
                Execution.deleted_at.is_(None),
                ~is_ours,
            )
            .order_by(Execution.id)
            .limit(STALLED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        runs = ExecutionService(self.session, self.actor)
        found = list(await self.session.scalars(statement))
        for execution in found:
            execution.status = ExecutionStatus.STALLED
            await runs.save("stall", execution)
        return len(found)
