"""What is written of a run while it runs: each step at once, in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict
from app.models import AgentRun, Execution, RunState
from app.models.executions import OPEN_STATUSES, ExecutionStatus
from app.schemas.executions import ExecutionUpdate
from app.schemas.spans import PricedSpan, nanoseconds
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.running.plans import Json, Plan
from app.services.running.steps import Root, root_span


class RunOver(Exception):
    """The run has ended, whoever ended it: nothing more of it is to be done."""


class AlreadyBegun(Exception):
    """Somebody works on the run, or died in the middle of it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that is needed to go on with a run."""

    execution_id: int
    plan: Plan
    root: Root
    messages: list[Json]
    turns: int


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended."""

    status: ExecutionStatus
    output: Any = None  # any JSON value
    error: str | None = None
    error_type: str | None = None


CANCELLED = End(ExecutionStatus.CANCELLED, error_type="cancelled")


def for_its_run(actor: Actor) -> Actor:
    """Who may run an agent may have written what the run did."""
    needed = {Permission.EXECUTIONS_READ, Permission.EXECUTIONS_WRITE, Permission.JOBS_WRITE}
    return replace(actor, permissions=actor.permissions | needed)


def root_of(execution: Execution, plan: Plan) -> Root:
    return Root(execution.trace_id, execution.started_at, plan.agent_name, plan.agent_id)


class RunRecorder:
    """Moves a run from step to step. The row in ``agent_runs`` is locked first, always."""

    resource = "executions"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.executions = ExecutionService(session, for_its_run(actor))

    async def find(self, execution_id: int, *criteria: ColumnElement[bool]) -> AgentRun | None:
        """Locked; the criteria hold of it as it is then."""
        statement = select(AgentRun).where(AgentRun.execution_id == execution_id, *criteria)
        fresh = statement.with_for_update(of=AgentRun).execution_options(populate_existing=True)
        return await self.session.scalar(fresh)

    async def claim(self, execution_id: int) -> Claimed:
        """Begin a run, or go on with it after the caller's tool results.

        Raise ``RunOver`` where there is nothing to do, ``AlreadyBegun`` when another did.
        """
        run = await self.find(execution_id)
        if run is None or run.state is RunState.WAITING:
            raise RunOver
        if run.state is RunState.WORKING:
            raise AlreadyBegun
        execution = await self._open(run)
        run.state, run.seen_at = RunState.WORKING, func.clock_timestamp()
        plan = Plan.model_validate(run.plan)
        root = root_of(execution, plan)
        await self._update(
            execution_id, {"status": ExecutionStatus.RUNNING, "spans": [root_span(root, None)]}
        )
        return Claimed(execution_id, plan, root, list(run.messages), run.turns)

    async def is_wanted(self, execution_id: int, *, beat: bool) -> bool:
        """Whether somebody still waits for what this run does."""
        statement = (
            select(AgentRun)
            .join(Execution, Execution.id == AgentRun.execution_id)
            .where(
                AgentRun.execution_id == execution_id,
                AgentRun.state == RunState.WORKING,
                Execution.status.in_(OPEN_STATUSES),
                Execution.deleted_at.is_(None),
            )
        )
        run = await self.session.scalar(statement)
        if run is not None and beat:
            run.seen_at = func.clock_timestamp()
            await self.session.flush()  # the sign of life must be seen by others
        return run is not None

    async def append(
        self, claimed: Claimed, spans: Sequence[PricedSpan], messages: list[Json], turns: int
    ) -> None:
        """Keep what a step did, and the conversation up to it. Raise ``RunOver``."""
        run = await self._working(claimed.execution_id)
        run.messages, run.turns, run.seen_at = messages, turns, func.clock_timestamp()
        await self._update(claimed.execution_id, {"spans": list(spans)})

    async def pause(self, claimed: Claimed, calls: Sequence[Json]) -> Execution:
        """Wait for the caller to carry these calls out. Raise ``RunOver``."""
        run = await self._working(claimed.execution_id)
        now = datetime.now(UTC).isoformat()
        run.state, run.calls = RunState.WAITING, [{**call, "asked_at": now} for call in calls]
        run.seen_at = func.clock_timestamp()
        wanted = {"requires_action": {"type": "tool_results", "tool_calls": list(calls)}}
        return await self._update(claimed.execution_id, {"output": wanted})

    async def finish(
        self, execution_id: int, end: End, spans: Sequence[PricedSpan] = ()
    ) -> Execution:
        """Close the run. Raise ``RunOver`` when it is closed already."""
        run = await self.find(execution_id)
        if run is None:
            raise RunOver
        execution = await self._open(run)
        ended_at = max(datetime.now(UTC), execution.started_at)
        root = root_of(execution, Plan.model_validate(run.plan))
        is_error = end.status in (ExecutionStatus.FAILED, ExecutionStatus.STALLED)
        kind = end.error_type if is_error or end.status is ExecutionStatus.CANCELLED else None
        last = root_span(root, nanoseconds(ended_at), kind)
        await self.session.delete(run)
        changes = {
            "status": end.status,
            "ended_at": ended_at,
            "output": end.output,
            "error": end.error,
            "error_type": end.error_type,
            "spans": [*spans, last],
        }
        return await self._update(execution_id, changes)

    async def leave_behind(self, execution_id: int, spans: Sequence[PricedSpan]) -> None:
        """Add what was under way when somebody cancelled the run."""
        execution = await self.executions.find(execution_id, lock=True)
        if execution is not None and execution.status is ExecutionStatus.CANCELLED:
            await self._update(execution_id, {"spans": list(spans)})

    async def cancel(self, execution_id: int) -> Execution:
        """End an open run now; who works on it sees so within a moment.

        Raise ``NotFound``, and ``Conflict`` when it has ended.
        """
        self.actor.require(Permission.AGENTS_RUN)
        run = await self.find(execution_id)
        execution = await self.executions.get(execution_id, lock=True)
        if execution.status not in OPEN_STATUSES:
            raise Conflict(
                lazy("This run has ended already: it %(status)s.", status=execution.status.value)
            )
        if run is None:
            changes = {"status": ExecutionStatus.CANCELLED, "error_type": CANCELLED.error_type}
            return await self._update(execution_id, changes)
        await self._cancel_job(run)
        return await self.finish(execution_id, CANCELLED)

    async def _cancel_job(self, run: AgentRun) -> None:
        jobs = JobService(self.session, for_its_run(self.actor))
        job = await jobs.find(run.job_id) if run.job_id is not None else None
        if job is not None and job.is_open:
            await jobs.cancel(job.id)

    async def _working(self, execution_id: int) -> AgentRun:
        run = await self.find(execution_id)
        if run is None or run.state is not RunState.WORKING:
            raise RunOver
        await self._open(run)
        return run

    async def _open(self, run: AgentRun) -> Execution:
        """The execution while it is open; one that somebody else has closed ends the run too."""
        execution = await self.executions.find(run.execution_id, lock=True)
        if execution is None or execution.status not in OPEN_STATUSES:
            raise RunOver
        return execution

    async def _update(self, execution_id: int, changes: dict[str, Any]) -> Execution:
        return await self.executions.update(execution_id, ExecutionUpdate(**changes))
