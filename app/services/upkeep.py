"""What nobody needs any more is removed, and what nobody finished is said to be so."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.partitions import ensure_partitions
from app.models import (
    Agent,
    AgentRun,
    BulkChange,
    Execution,
    IdempotencyKey,
    Import,
    RefreshToken,
    SpanLog,
    StaffSession,
    UserToken,
)
from app.models.executions import OPEN_STATUSES, ExecutionSource, ExecutionStatus
from app.models.spans import SpanStatus
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.ingestion.reports import latency_ms
from app.services.spans import moment_of

AT_ONCE = 5_000
STALLED_AT_ONCE = 200
DRAFTS_AT_ONCE = 100
DRAFT_KEPT = timedelta(hours=1)
ORPHAN = text("""
SELECT s.status, s.end_ns, EXISTS (
    SELECT FROM trace_claims c WHERE c.execution_id = :run AND c.claims ? 'root'
) AS has_root
FROM spans s
WHERE s.execution_id = :run AND NOT EXISTS (
    SELECT FROM spans p WHERE p.execution_id = :run AND p.span_id = s.parent_span_id
)
ORDER BY s.start_ns, s.span_id LIMIT 1
""")
# Ended sessions and tokens are shown, and reuse of them noticed, for a while.
KEPT: dict[Any, timedelta] = {  # mapped classes with expires_at
    StaffSession: timedelta(days=30),
    RefreshToken: timedelta(days=30),
    UserToken: timedelta(days=30),
    IdempotencyKey: timedelta(0),
    BulkChange: timedelta(0),
    Import: timedelta(0),
}
QUEUE_LOG = text("DELETE FROM pgqueuer.log WHERE created < now() - interval '7 days'")
QUEUE_SUMS = text("DELETE FROM pgqueuer.statistics WHERE created < now() - interval '7 days'")


class UpkeepService:
    """Each step is bounded and safe to repeat; the next round does what is left."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def remove_expired(self) -> int:
        """Sessions, tokens, kept answers, imports whose time is long over: how many went."""
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
            ended = await self._end_by_orphan(execution)
            execution.status = ended or ExecutionStatus.STALLED
            await runs.save("end" if ended else "stall", execution)
        return len(found)

    async def _end_by_orphan(self, execution: Execution) -> ExecutionStatus | None:
        """How a trace ended whose root was never sent: as the earliest span without a parent here.

        ``None`` where that one is open, or the run is none of OpenTelemetry's.
        """
        if execution.source is not ExecutionSource.OTLP:
            return None
        found = (await self.session.execute(ORPHAN, {"run": execution.id})).one_or_none()
        if found is None or found.end_ns is None or found.has_root:
            return None
        execution.ended_at = moment_of(found.end_ns)
        execution.latency_ms = latency_ms(execution.started_at, execution.ended_at)
        is_bad = found.status == SpanStatus.ERROR.value
        return ExecutionStatus.FAILED if is_bad else ExecutionStatus.SUCCEEDED

    async def remove_logs(self, kept: timedelta) -> int:
        """Log records that are older; the spans they told of keep what they say."""
        old = SpanLog.created_at < func.clock_timestamp() - kept
        oldest = select(SpanLog.id).where(old).order_by(SpanLog.created_at).limit(AT_ONCE)
        gone = await self.session.scalars(
            delete(SpanLog).where(SpanLog.id.in_(oldest)).returning(SpanLog.id),
            execution_options={"synchronize_session": False},
        )
        return len(gone.all())

    async def drop_empty_drafts(self) -> int:
        """Drafts of agents that no run belongs to any more go to the trash: how many.

        A trace whose root arrives last may first have been put under another name.
        """
        used = exists().where(Execution.agent_id == Agent.id)
        unused = (
            select(Agent.id)
            .where(Agent.is_draft, Agent.deleted_at.is_(None), ~used)
            .where(Agent.created_at < func.clock_timestamp() - DRAFT_KEPT)
            .order_by(Agent.id)
            .limit(DRAFTS_AT_ONCE)
        )
        ids = list(await self.session.scalars(unused))
        agents = AgentService(self.session, self.actor)
        for agent_id in ids:
            await agents.delete(agent_id)
        return len(ids)
