"""Sums over runs for the dashboard and for agents. Unknown cost is counted, never taken as 0."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, null, text
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import Agent, Execution
from app.models.executions import ExecutionStatus
from app.schemas.statistics import USUAL, GroupBy, StatisticsQuery
from app.services.executions import ExecutionService

FAILED = Execution.status == ExecutionStatus.FAILED
BUCKETS = 30
MAX_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, cut into buckets of equal width."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, query: StatisticsQuery) -> "Window":
        until = query.until or datetime.now(UTC)
        return cls(query.since or until - USUAL, until)

    @property
    def width(self) -> timedelta:
        seconds = (self.until - self.since).total_seconds() / BUCKETS
        return timedelta(seconds=max(60, seconds))

    @property
    def before(self) -> "Window":
        """The same length of time just before."""
        return Window(self.since - (self.until - self.since), self.since)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all runs in a window. Latencies are milliseconds, ``cost`` is USD."""

    runs: int
    failed: int
    cost: Decimal | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @property
    def failure_rate(self) -> float | None:
        return self.failed / self.runs if self.runs else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a chart."""

    start: datetime
    figures: Figures


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent's share."""

    agent_id: int
    name: str
    figures: Figures


def percentile(fraction: float) -> ColumnElement[float]:
    return func.percentile_cont(fraction).within_group(Execution.latency_ms)


def measures() -> tuple[ColumnElement[Any], ...]:
    """The columns of ``Figures``, in its order."""
    return (
        func.count(),
        func.count().filter(FAILED),
        func.sum(Execution.cost),
        func.count().filter(Execution.cost.is_(None)),
        func.sum(Execution.input_tokens),
        func.sum(Execution.output_tokens),
        percentile(0.5),
        percentile(0.95),
        percentile(0.99),
    )


def as_figures(values: Any) -> Figures:  # the part of a row that measures() asked for
    runs, failed, cost, unpriced, given, made, *latencies = values
    # PostgreSQL sums bigint as numeric.
    given, made = (None if n is None else int(n) for n in (given, made))
    return Figures(runs, failed, cost, unpriced, given, made, *latencies)


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of the runs that share a value; ``key`` is ``None`` where it is not known."""

    key: str | None
    agent_id: int | None
    figures: Figures


def grouping(by: GroupBy) -> tuple[Any, Any]:  # columns, or expressions over them
    """What runs are grouped by: the key as text, and the agent where the agent is the key."""
    nobody: ColumnElement[Any] = null()
    if by is GroupBy.AGENT:
        return Agent.name, Execution.agent_id
    if by is GroupBy.STATUS:
        return Execution.status, nobody
    if by is GroupBy.MODEL:
        return Execution.model_name, nobody
    # In UTC whatever the session's time zone, and written as the API writes times.
    start = func.date_trunc(by.value, func.timezone("UTC", Execution.started_at))
    return func.to_char(start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), nobody


class StatisticsService:
    """Reads what the actor may see of the runs; never writes."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self._runs = ExecutionService(session, actor)

    def _within(self, window: Window, agent_id: int | None) -> Select[Execution]:
        self.actor.require(Permission.EXECUTIONS_READ)
        statement = self._runs.visible().where(
            Execution.started_at >= window.since, Execution.started_at < window.until
        )
        return statement if agent_id is None else statement.where(Execution.agent_id == agent_id)

    async def figures(self, window: Window, agent_id: int | None = None) -> Figures:
        statement = self._within(window, agent_id).with_only_columns(*measures())
        return as_figures((await self.session.execute(statement)).one())

    async def buckets(self, window: Window, agent_id: int | None = None) -> list[Bucket]:
        """Every bucket of the window, empty ones included."""
        width = literal(window.width, INTERVAL)
        start = func.date_bin(width, Execution.started_at, window.since).label("start")
        statement = (
            self._within(window, agent_id).with_only_columns(start, *measures()).group_by(start)
        )
        found = {row[0]: as_figures(row[1:]) for row in await self.session.execute(statement)}
        starts = [window.since + i * window.width for i in range(BUCKETS)]
        empty = Figures(0, 0, None, 0, None, None, None, None, None)
        return [Bucket(start, found.get(start, empty)) for start in starts if start < window.until]

    async def by_agent(self, window: Window, limit: int) -> list[AgentFigures]:
        """The busiest agents."""
        statement = (
            self._within(window, None)
            .join(Agent, Agent.id == Execution.agent_id)
            .with_only_columns(Agent.id, Agent.name, *measures())
            .group_by(Agent.id, Agent.name)
            .order_by(func.count().desc(), Agent.id)
            .limit(limit)
        )
        rows = await self.session.execute(statement)
        return [AgentFigures(row[0], row[1], as_figures(row[2:])) for row in rows]

    async def groups(self, window: Window, by: GroupBy, agent_id: int | None) -> list[Group]:
        """At most ``MAX_GROUPS``: times in their order, anything else by its number of runs."""
        key, agent = grouping(by)
        is_time = by in (GroupBy.HOUR, GroupBy.DAY)
        statement = (
            self._within(window, agent_id)
            .join(Agent, Agent.id == Execution.agent_id)
            .with_only_columns(key.label("key"), agent.label("agent"), *measures())
            .group_by(text("1"), text("2"))
            .order_by(text("1") if is_time else func.count().desc(), text("1"))
            .limit(MAX_GROUPS)
        )
        rows = await self.session.execute(statement)
        return [Group(row[0], row[1], as_figures(row[2:])) for row in rows]

    async def extent(self, agent_id: int | None = None) -> Window | None:
        """From the first run to the last, ``None`` without any: two index lookups."""
        runs = self._runs.visible()
        if agent_id is not None:
            runs = runs.where(Execution.agent_id == agent_id)
        started = runs.with_only_columns(Execution.started_at)
        first = await self.session.scalar(started.order_by(Execution.started_at).limit(1))
        last = await self.session.scalar(started.order_by(Execution.started_at.desc()).limit(1))
        if first is None or last is None:
            return None
        return Window(first, max(last + timedelta(seconds=1), first + timedelta(minutes=BUCKETS)))

    async def recent_by_agent(self, agent_ids: list[int], days: int) -> dict[int, tuple[int, int]]:
        """``(runs, failed)`` of each agent in the last days, for a page of the agents' list."""
        since = datetime.now(UTC) - timedelta(days=days)
        statement = (
            self._runs.visible()
            .where(Execution.agent_id.in_(agent_ids), Execution.started_at >= since)
            .with_only_columns(Execution.agent_id, func.count(), func.count().filter(FAILED))
            .group_by(Execution.agent_id)
        )
        rows = await self.session.execute(statement)
        return {row[0]: (row[1], row[2]) for row in rows if row[0] is not None}

    async def by_revision(self, agent_id: int) -> dict[int, tuple[int, int]]:
        """``(runs, failed)`` by revision id."""
        statement = (
            self._runs.visible()
            .where(Execution.agent_id == agent_id, Execution.agent_revision_id.is_not(None))
            .with_only_columns(
                Execution.agent_revision_id, func.count(), func.count().filter(FAILED)
            )
            .group_by(Execution.agent_revision_id)
        )
        rows = await self.session.execute(statement)
        return {row[0]: (row[1], row[2]) for row in rows if row[0] is not None}
