"""Asking for a run, answering its tool calls, and ending what nobody works on any more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.completions import WantedCall
from app.core.permissions import Permission
from app.core.providers import ModelProvider
from app.core.texts import lazy
from app.exceptions import Conflict, Invalid, NotFound
from app.models import AgentRevision, AgentRun, Execution, Job, JobKind, RunState, Tool
from app.models.executions import ExecutionSource, ExecutionStatus
from app.models.jobs import OPEN_JOBS
from app.schemas.executions import ExecutionCreate, ExecutionUpdate
from app.schemas.runs import Overrides, RunCreate, ToolResult, ToolResults
from app.schemas.spans import PricedSpan, nanoseconds
from app.services.agents import AgentService, NamedAgent
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.running.plans import Json, Plan, plan_of
from app.services.running.records import (
    CANCELLED,
    End,
    RunOver,
    RunRecorder,
    for_its_run,
    root_of,
)
from app.services.running.steps import Timing, tool_span
from app.services.running.tool_calls import Outcome

LOST_AFTER = timedelta(seconds=60)
WAITS_FOR = timedelta(hours=24)
LOST_AT_ONCE = 100
INTERRUPTED = End(
    ExecutionStatus.STALLED,
    error="The server stopped in the middle of this run. It is not begun again by itself: what it "
    "did so far would be done twice.",
    error_type="interrupted",
)
UNANSWERED = End(
    ExecutionStatus.STALLED,
    error="Nobody sent the results of its tool calls for a day.",
    error_type="unanswered",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A run to be made: of which agent, over what, from where, with what tried out."""

    agent_id: int
    data: RunCreate
    source: ExecutionSource = ExecutionSource.API
    overrides: Overrides = field(default_factory=Overrides)

    def metadata(self, revision: int) -> Json | None:
        """What the caller sent, and what decides the run beside its revision."""
        tried = self.overrides.changes
        of_revision = {"revision": revision} if tried else {}
        ours: Json = {"variables": self.data.variables, "overrides": tried} | of_revision
        kept = {name: value for name, value in ours.items() if value}
        return ({"run": kept} if kept else {}) | (self.data.metadata or {}) or None


class OwnExecutionService(ExecutionService):
    """Records executions that are run here."""

    source = ExecutionSource.API
    follows_revision = True

    async def _row_values(
        self, data: ExecutionCreate, agent: NamedAgent, started_at: datetime
    ) -> dict[str, Any]:
        values = await super()._row_values(data, agent, started_at) | {"source": self.source}
        # What was tried out is no revision; the metadata says what differed.
        return values if self.follows_revision else values | {"agent_revision_id": None}


class RunService:
    """For who may run agents; what the run writes follows from that."""

    resource = "executions"

    def __init__(self, session: AsyncSession, actor: Actor, provider: ModelProvider) -> None:
        self.session = session
        self.actor = actor
        self.provider = provider
        self.recorder = RunRecorder(session, actor)

    async def begin(self, asked: Asked) -> Execution:
        """The execution of a run that is to be worked on once this is committed.

        Raise ``NotFound``, ``Invalid``, and ``Conflict`` for a paused agent or without a provider.
        """
        self.actor.require(Permission.AGENTS_RUN)
        agents = AgentService(self.session, self.actor)
        agent = await agents.find_for_report(agent_id=asked.agent_id)
        if agent is None:
            raise NotFound(lazy("There is no such agent."))
        self.provider.require()
        if not agent.is_active and asked.source is ExecutionSource.API:
            raise Conflict(lazy("%(agent)s is paused. Resume it to run it.", agent=agent.name))
        revision = await self._revision(agent, asked.data.revision)
        plan = await self._plan(agent, revision, asked)
        execution = await self._record(asked, plan, revision.number)
        run = AgentRun(
            execution_id=execution.id,
            state=RunState.READY,
            plan=plan.model_dump(mode="json"),
            messages=plan.opening(asked.data.conversation),
            calls=[],
        )
        self.session.add(run)
        await self.session.flush()  # the job that follows names it
        return execution

    async def enqueue(self, execution: Execution) -> Execution:
        """Have it worked on in the background."""
        jobs = JobService(self.session, for_its_run(self.actor))
        params = {"execution_id": execution.id}
        job = await jobs.enqueue(JobKind.RUN_AGENT, params, agent_id=execution.agent_id)
        run = await self.recorder.find(execution.id)
        if run is not None:
            run.job_id = job.id
            await self.session.flush()  # whoever cancels the run must find the job
        return execution

    async def submit(self, execution_id: int, data: ToolResults) -> Execution:
        """Take the results of the calls that the run waits for; it is to be worked on then.

        Raise ``NotFound``, ``Conflict`` when it does not wait, ``Invalid`` for other calls.
        """
        self.actor.require(Permission.AGENTS_RUN)
        run = await self.recorder.find(execution_id)
        execution = await self.recorder.executions.get(execution_id, lock=True)
        if run is None or run.state is not RunState.WAITING:
            raise Conflict(lazy("This run does not wait for tool results."))
        self.provider.require()
        results = answers_to(run.calls, data.results)
        plan = Plan.model_validate(run.plan)
        spans = [self._answer_span(execution, plan, call, given) for call, given in results]
        run.messages = [*run.messages, *(message_of(given) for _, given in results)]
        run.state, run.calls, run.seen_at = RunState.READY, [], func.clock_timestamp()
        run.job_id = None
        return await self.recorder.executions.update(
            execution_id, ExecutionUpdate(spans=spans, output=None)
        )

    @staticmethod
    def _answer_span(execution: Execution, plan: Plan, call: Json, given: ToolResult) -> PricedSpan:
        wanted = WantedCall(call["id"], call["name"], call["arguments"])
        asked_at = datetime.fromisoformat(call["asked_at"])
        timing = Timing(nanoseconds(asked_at), nanoseconds(max(asked_at, datetime.now(UTC))))
        error_type = "tool_error" if given.is_error else None
        return tool_span(root_of(execution, plan), wanted, given.content, timing, error_type)

    async def _revision(self, agent: NamedAgent, number: int | None) -> AgentRevision:
        statement = select(AgentRevision).where(AgentRevision.agent_id == agent.id)
        wanted = (
            AgentRevision.id == agent.live_revision_id
            if number is None
            else AgentRevision.number == number
        )
        revision = await self.session.scalar(statement.where(wanted))
        if revision is None:
            named = "live revision" if number is None else f"revision {number}"
            raise Invalid(
                lazy("%(agent)s has no %(named)s.", agent=agent.name, named=named), field="revision"
            )
        return revision

    async def _plan(self, agent: NamedAgent, revision: AgentRevision, asked: Asked) -> Plan:
        ids = [tool["id"] for tool in revision.snapshot["tools"]]
        in_use = select(Tool.id).where(Tool.id.in_(ids), Tool.is_active, Tool.deleted_at.is_(None))
        usable = set(await self.session.scalars(in_use))
        named = (agent.id, agent.name)
        return plan_of(named, revision.snapshot, asked.data, asked.overrides, usable)

    async def _record(self, asked: Asked, plan: Plan, number: int) -> Execution:
        executions = OwnExecutionService(self.session, for_its_run(self.actor))
        executions.source = asked.source
        executions.follows_revision = not asked.overrides.changes
        data = ExecutionCreate(
            agent_id=plan.agent_id,
            revision=number,
            status=ExecutionStatus.PENDING,
            model_name=plan.model,
            started_at=datetime.now(UTC),
            input={"messages": asked.data.conversation},
            session_id=asked.data.session_id,
            tags=asked.data.tags,
            metadata=asked.metadata(number),
        )
        return (await executions.record(data)).execution


def answers_to(
    calls: Sequence[Json], results: Sequence[ToolResult]
) -> list[tuple[Json, ToolResult]]:
    """Each call with its result. Raise ``Invalid`` when they do not belong together."""
    given = {result.tool_call_id: result for result in results}
    wanted = [call["id"] for call in calls]
    if given.keys() != set(wanted):
        raise Invalid(
            lazy("Send one result for each of the calls %(wanted)s.", wanted=", ".join(wanted)),
            field="results",
        )
    return [(call, given[call["id"]]) for call in calls]


def message_of(given: ToolResult) -> Json:
    content = Outcome(given.content).content
    return {"role": "tool", "tool_call_id": given.tool_call_id, "content": content}


class LostRunService:
    """Ends runs that nobody works on any more, for the product itself."""

    resource = "executions"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.recorder = RunRecorder(session, actor)

    async def end_lost(self) -> int:
        """Runs whose worker is silent, whose job has ended, or whose caller never came back."""
        silent = AgentRun.seen_at < func.clock_timestamp() - LOST_AFTER
        unanswered = AgentRun.seen_at < func.clock_timestamp() - WAITS_FOR
        has_job = select(Job.id).where(Job.id == AgentRun.job_id, Job.status.in_(OPEN_JOBS))
        lost = or_(
            (AgentRun.state == RunState.WORKING) & silent,
            (AgentRun.state == RunState.READY) & silent & ~has_job.exists(),
            (AgentRun.state == RunState.READY) & AgentRun.job_id.is_not(None) & ~has_job.exists(),
            (AgentRun.state == RunState.WAITING) & unanswered,
        )
        statement = select(AgentRun.execution_id).where(lost).limit(LOST_AT_ONCE)
        found = list(await self.session.scalars(statement.order_by(AgentRun.execution_id)))
        ended = 0
        for execution_id in found:
            # Its worker or its caller may have been heard of while we waited for the lock.
            run = await self.recorder.find(execution_id, lost)
            if run is not None:
                await self._end(run, await self._fate(run))
                ended += 1
        return ended

    async def end_begun(self, execution_id: int) -> None:
        """Close a run that a job finds begun: the one who began it is dead, or thought so."""
        run = await self.recorder.find(execution_id)
        if run is not None and run.state is RunState.WORKING:
            await self._end(run, INTERRUPTED)

    async def _end(self, run: AgentRun, how: End) -> None:
        try:
            await self.recorder.finish(run.execution_id, how)
        except RunOver:
            await self.session.delete(run)  # the execution was closed by somebody else
            await self.session.flush()  # one after the other: the next may lock the same rows

    async def _fate(self, run: AgentRun) -> End:
        if run.state is RunState.WAITING:
            return UNANSWERED
        job = await self.session.get(Job, run.job_id) if run.job_id is not None else None
        if job is not None and job.cancel_requested:
            return CANCELLED
        if job is not None and job.error and run.state is RunState.READY:
            return End(ExecutionStatus.FAILED, error=job.error, error_type="not_begun")
        return INTERRUPTED
