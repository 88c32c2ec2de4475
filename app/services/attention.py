"""What somebody on duty should look at, as other services find it: a few of each kind.

What the actor may not read is not asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import ApiKey, Execution, Job, JobStatus, WebhookEndpoint
from app.models.base import Base
from app.models.executions import ExecutionStatus
from app.schemas.days import SPANS, TimeRange
from app.schemas.executions import ExecutionQuery
from app.schemas.jobs import JobPageQuery
from app.services.api_keys import ApiKeyService
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.statistics import AgentFigures
from app.services.time_windows import DAY, Window
from app.services.tool_calls import BrokenTool, ToolCallService
from app.services.webhook_endpoints import WebhookEndpointService

M = TypeVar("M", bound=Base)
SHOWN = 3
# An agent that fails this often is not just unlucky; of fewer runs a share says nothing.
MUCH_FAILED, LEAST_RUNS = 0.25, 5


@dataclass(frozen=True, slots=True)
class Several(Generic[M]):
    """How many there are, up to where the service stops counting, and the newest of them."""

    count: int
    newest: M


@dataclass(frozen=True, slots=True)
class Attention:
    """``lately`` is how far back calls of tools and failed jobs are looked at."""

    lately: TimeRange
    stalled: Several[Execution] | None
    broken: Sequence[BrokenTool]
    endpoints: Sequence[WebhookEndpoint]
    failed_jobs: Several[Job] | None
    keys: Sequence[ApiKey]


def much_failed(agents: Sequence[AgentFigures]) -> list[AgentFigures]:
    """Of these agents the few that fail most often, the worst first."""
    often = [
        agent
        for agent in agents
        if agent.figures.runs >= LEAST_RUNS and (agent.figures.failure_rate or 0) >= MUCH_FAILED
    ]
    return sorted(often, key=lambda agent: -(agent.figures.failure_rate or 0))[:SHOWN]


def lately(window: Window | None) -> TimeRange:
    """What happens beside the runs is looked at up to now, for a day or a week."""
    is_short = window is not None and window.length <= DAY
    return TimeRange.DAY if is_short else TimeRange.WEEK


def days_of(span: TimeRange) -> int:
    return SPANS[span] // DAY


class AttentionService:
    """Reads what the actor may see; never writes."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def look(self, window: Window | None, agent_id: int | None = None) -> Attention:
        """``window`` is the time of the runs; with an agent, what is about it alone."""
        span = lately(window)
        return Attention(
            lately=span,
            stalled=await self._stalled(window, agent_id),
            broken=await self._broken(span, agent_id),
            endpoints=await self._endpoints() if agent_id is None else [],
            failed_jobs=await self._failed_jobs(span, agent_id),
            keys=await self._keys(agent_id),
        )

    async def _stalled(
        self, window: Window | None, agent_id: int | None
    ) -> Several[Execution] | None:
        if window is None or not self.actor.may(Permission.EXECUTIONS_READ):
            return None
        runs = ExecutionService(self.session, self.actor)
        query = ExecutionQuery(
            status=[ExecutionStatus.STALLED],
            since=window.since,
            until=window.until,
            agent_id=[] if agent_id is None else [agent_id],
            limit=1,
        )
        found = (await runs.list_runs(query)).items
        return Several(await runs.count_runs(query), found[0]) if found else None

    async def _broken(self, span: TimeRange, agent_id: int | None) -> Sequence[BrokenTool]:
        needed = (Permission.EXECUTIONS_READ, Permission.TOOLS_READ)
        if not all(self.actor.may(each) for each in needed):
            return []
        calls = ToolCallService(self.session, self.actor)
        return await calls.most_broken(days_of(span), SHOWN, agent_id)

    async def _endpoints(self) -> Sequence[WebhookEndpoint]:
        if not self.actor.may(Permission.WEBHOOKS_READ):
            return []
        return await WebhookEndpointService(self.session, self.actor).troubled(SHOWN)

    async def _failed_jobs(self, span: TimeRange, agent_id: int | None) -> Several[Job] | None:
        """Messages of webhooks apart: they are told of by their endpoints."""
        if not self.actor.may(Permission.JOBS_READ):
            return None
        jobs = JobService(self.session, self.actor)
        query = JobPageQuery(status=JobStatus.FAILED, range=span, agent_id=agent_id, limit=1)
        found = (await jobs.list_jobs(query)).items
        return Several(await jobs.count(jobs.matching(query)), found[0]) if found else None

    async def _keys(self, agent_id: int | None) -> Sequence[ApiKey]:
        if not self.actor.may(Permission.KEYS_READ):
            return []
        return await ApiKeyService(self.session, self.actor).expiring(SHOWN, agent_id)
