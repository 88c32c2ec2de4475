"""Sums over runs for the dashboard and for agents. Unknown cost is counted, never taken as 0."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Select,
    func,
    literal,
    null,
    select,
    text,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import Agent, Execution
from app.models.executions import ExecutionStatus
from app.schemas.statistics import GroupBy
from app.services.execution_sums import Asked, Hours, by_keys, hourly_sums
from app.services.executions import ExecutionService
from app.services.latencies import percentile_ms
from app.services.time_windows import HOUR, Window

FAILED = Execution.status == ExecutionStatus.FAILED
SHORTEST = timedelta(minutes=30)
# So many runs are summed from their rows, with exact percentiles; more are not read one by one.
EXACT_UP_TO = 10_000
MAX_GROUPS = 1000


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


NOTHING = Figures(0, 0, None, 0, None, None, None, None, None)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a chart."""

    window: Window
    figures: Figures


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model's share; ``name`` is ``None`` where senders did not say."""

    name: str | None
    figures: Figures

    @property
    def cost_per_run(self) -> Decimal | None:
        """Of the runs whose cost is known."""
        priced = self.figures.runs - self.figures.unpriced
        return None if self.figures.cost is None or not priced else self.figures.cost / priced


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


def estimated(row: Any) -> Figures:  # a row of by_keys()
    histogram = (row.latency_buckets, row.latency_counts)
    return Figures(
        int(row.runs or 0),
        int(row.failed or 0),
        row.cost,
        int(row.unpriced or 0),
        None if row.input_tokens is None else int(row.input_tokens),
        None if row.output_tokens is None else int(row.output_tokens),
        *(percentile_ms(*histogram, fraction) for fraction in (0.5, 0.95, 0.99)),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of the runs that share a value; ``key`` is ``None`` where it is not known."""

    key: str | None
    agent_id: int | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class RunColumns:
    """What runs can be grouped by, in their own table or among their sums."""

    moment: ColumnElement[Any]
    agent_id: ColumnElement[Any]
    model_name: ColumnElement[Any]
    status: ColumnElement[Any]

    @classmethod
    def of(cls, sums: FromClause) -> "RunColumns":
        return cls(sums.c.hour, sums.c.agent_id, sums.c.model_name, sums.c.status)


Keys = Callable[[RunColumns], tuple[Any, ...]]  # columns, or expressions over them
OF_RUNS = RunColumns(
    *(
        cast("ColumnElement[Any]", getattr(Execution, name))
        for name in ("started_at", "agent_id", "model_name", "status")
    )
)


def grouping(by: GroupBy) -> Keys:
    """The key as text, and the agent where the agent is the key."""

    def keys(runs: RunColumns) -> tuple[Any, ...]:
        nobody: ColumnElement[Any] = sql_cast(null(), BigInteger)
        if by is GroupBy.AGENT:
            return Agent.name, runs.agent_id
        if by is GroupBy.STATUS:
            return runs.status, nobody
        if by is GroupBy.MODEL:
            return runs.model_name, nobody
        # In UTC whatever the session's time zone, and written as the API writes times.
        start = func.date_trunc(by.value, func.timezone("UTC", runs.moment))
        return func.to_char(start, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), nobody

    return keys


class Most(StrEnum):
    """What the first of several groups has the most of."""

    RUNS = "runs"
    FAILED = "failed"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Shape:
    """What figures are of: one of each key; in the keys' order, or those with the most first."""

    keys: Keys = lambda _: ()
    most: Most | None = None
    limit: int = MAX_GROUPS


MOST: dict[Most, ColumnElement[Any]] = {
    Most.RUNS: func.count(),
    Most.FAILED: func.count().filter(FAILED),
    Most.COST: func.sum(Execution.cost),
}


class StatisticsService:
    """Reads what the actor may see of the runs; never writes."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self._runs = ExecutionService(session, actor)
        self._exact: dict[tuple[Window, int | None], bool] = {}

    def _within(self, window: Window, agent_id: int | None) -> Select[Execution]:
        self.actor.require(Permission.EXECUTIONS_READ)
        statement = self._runs.visible().where(
            Execution.started_at >= window.since, Execution.started_at < window.until
        )
        return statement if agent_id is None else statement.where(Execution.agent_id == agent_id)

    async def is_exact(self, window: Window, agent_id: int | None = None) -> bool:
        """Whether percentiles are of the rows; else they are estimated (``latencies``).

        Said once for a window, so that all figures of one answer are of the same kind.
        """
        if Hours.within(window.since, window.until) is None:
            return True
        if (window, agent_id) not in self._exact:
            runs = self._within(window, agent_id).with_only_columns(Execution.id)
            bounded = runs.limit(EXACT_UP_TO + 1).subquery()
            found = await self.session.scalar(select(func.count()).select_from(bounded)) or 0
            self._exact[window, agent_id] = found <= EXACT_UP_TO
        return self._exact[window, agent_id]

    async def _figures(
        self, window: Window, agent_id: int | None, shape: Shape
    ) -> list[tuple[Any, ...]]:
        """Rows of the shape's keys and ``Figures``."""
        hours = Hours.within(window.since, window.until)
        if hours is None or await self.is_exact(window, agent_id):
            return await self._from_rows(window, agent_id, shape)
        self.actor.require(Permission.EXECUTIONS_READ)
        agents = None if agent_id is None else [agent_id]
        sums = hourly_sums(self._runs, Asked(window.since, window.until, agents), hours)
        keys = shape.keys(RunColumns.of(sums))
        found = by_keys(sums, keys)
        order = [found.c[shape.most].desc().nulls_last()] if shape.most else []
        first = [found.c.k0] if keys else []
        statement = select(found).order_by(*order, *first).limit(shape.limit)
        rows = await self.session.execute(statement)
        return [(*row[: len(keys)], estimated(row)) for row in rows]

    async def _from_rows(
        self, window: Window, agent_id: int | None, shape: Shape
    ) -> list[tuple[Any, ...]]:
        keys = shape.keys(OF_RUNS)
        places = [text(str(number + 1)) for number in range(len(keys))]
        order = [MOST[shape.most].desc().nulls_last()] if shape.most else []
        statement = (
            self._within(window, agent_id)
            .join(Agent, Agent.id == Execution.agent_id)
            .with_only_columns(*(k.label(f"k{n}") for n, k in enumerate(keys)), *measures())
            .group_by(*places)
            .order_by(*order, *places[:1])
            .limit(shape.limit)
        )
        rows = await self.session.execute(statement)
        return [(*row[: len(keys)], as_figures(row[len(keys) :])) for row in rows]

    async def figures(self, window: Window, agent_id: int | None = None) -> Figures:
        (row,) = await self._figures(window, agent_id, Shape())
        figures: Figures = row[0]
        return figures

    async def buckets(
        self, window: Window, agent_id: int | None = None, zone: tzinfo = UTC
    ) -> list[Bucket]:
        """Every step of the window, empty ones included; days are those of the zone.

        They begin on whole hours of UTC where sums are read (``Window.buckets``).
        """
        is_exact = await self.is_exact(window, agent_id)
        steps = window.buckets(zone, of_whole_hours=not is_exact)
        starts = literal([step.since for step in steps], ARRAY(DateTime(timezone=True)))
        shape = Shape(lambda runs: (func.width_bucket(runs.moment, starts),))
        ask = self._figures if window.step.length >= HOUR else self._from_rows
        found = dict(await ask(window, agent_id, shape))
        return [Bucket(step, found.get(place, NOTHING)) for place, step in enumerate(steps, 1)]

    async def by_agent(
        self, window: Window, limit: int, most: Most = Most.RUNS
    ) -> list[AgentFigures]:
        """The agents with the most runs, or the most failed ones."""
        shape = Shape(lambda runs: (runs.agent_id, Agent.name), most, limit)
        return [AgentFigures(*row) for row in await self._figures(window, None, shape)]

    async def by_model(
        self, window: Window, limit: int, agent_id: int | None = None
    ) -> list[ModelFigures]:
        """The models that cost the most."""
        shape = Shape(lambda runs: (runs.model_name,), Most.COST, limit)
        return [ModelFigures(*row) for row in await self._figures(window, agent_id, shape)]

    async def groups(self, window: Window, by: GroupBy, agent_id: int | None) -> list[Group]:
        """At most ``MAX_GROUPS``: times in their order, anything else by its number of runs."""
        in_order = by in (GroupBy.HOUR, GroupBy.DAY)
        shape = Shape(grouping(by), None if in_order else Most.RUNS)
        return [Group(*row) for row in await self._figures(window, agent_id, shape)]

    async def extent(self, agent_id: int | None = None) -> Window | None:
        """From the first run to the last, ``None`` without any: two index lookups."""
        starts = await self.first_and_last(agent_id)
        if starts is None:
            return None
        first, last = starts
        return Window(first, max(last + timedelta(seconds=1), first + SHORTEST))

    async def first_and_last(self, agent_id: int | None = None) -> tuple[datetime, datetime] | None:
        """When the first run and the last one started."""
        runs = self._runs.visible()
        if agent_id is not None:
            runs = runs.where(Execution.agent_id == agent_id)
        started = runs.with_only_columns(Execution.started_at)
        first = await self.session.scalar(started.order_by(Execution.started_at).limit(1))
        last = await self.session.scalar(started.order_by(Execution.started_at.desc()).limit(1))
        return None if first is None or last is None else (first, last)

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
