"""Hourly sums over runs: kept true by the worker, read together with the runs they lack."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    FromClause,
    Select,
    SelectBase,
    SmallInteger,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Execution, ExecutionStatsHour, HourlyFigures
from app.services.latencies import BOUNDS
from app.services.stale_hours import Place, StaleHourService

HOUR = timedelta(hours=1)
# Most runs of an hour end soon after it: summing it then is done once, not every minute.
SETTLES_WITHIN = timedelta(minutes=10)
AT_ONCE = 50
# Any number; it only has to be the same for every worker.
SUMMING_LOCK = 7_302_417
DIMENSIONS = ("hour", "agent_id", "model_name", "status")
SUMS = ("runs", "cost", "unpriced", "input_tokens", "output_tokens")
STORED = (*DIMENSIONS, *SUMS, "latency_buckets", "latency_counts")
Columns = Select[*tuple[Any, ...]]  # of any types
RUN = (
    func.date_trunc("hour", Execution.started_at, "UTC").label("hour"),
    Execution.agent_id,
    Execution.model_name,
    Execution.status,
    Execution.cost,
    Execution.input_tokens,
    Execution.output_tokens,
    func.width_bucket(Execution.latency_ms, literal(BOUNDS, ARRAY(BigInteger))).label("bucket"),
)


def of_hours(runs: Columns, hours: FromClause) -> Columns:
    """The runs of each agent and hour in ``hours``, as ``RUN``, by the index of agents' starts."""
    start = hours.c.hour
    found = (
        runs.where(
            Execution.agent_id == hours.c.agent_id,
            Execution.started_at >= start,
            Execution.started_at < start + HOUR,
        )
        .with_only_columns(*RUN)
        .offset(0)  # keeps the planner from joining all runs with all hours
        .lateral("found")
    )
    return select(*found.c).select_from(hours).join(found, true())


def summed(runs: SelectBase) -> Columns:
    """Rows of ``RUN`` as they are stored: one for each hour, agent, model and status."""
    run = runs.subquery("run")
    counted = (
        select(
            *(run.c[name] for name in DIMENSIONS),
            run.c.bucket,
            func.count().label("runs"),
            func.sum(run.c.cost).label("cost"),
            func.count().filter(run.c.cost.is_(None)).label("unpriced"),
            func.sum(run.c.input_tokens).label("input_tokens"),
            func.sum(run.c.output_tokens).label("output_tokens"),
        )
        .group_by(*(run.c[name] for name in DIMENSIONS), run.c.bucket)
        .subquery("counted")
    )
    dimensions = [counted.c[name] for name in DIMENSIONS]
    sums = [func.sum(counted.c[name]).label(name) for name in SUMS]
    return select(*dimensions, *sums, *histogram(counted, "runs")).group_by(*dimensions)


def histogram(counted: FromClause, number: str) -> tuple[Any, Any]:  # two labelled arrays
    """Buckets in their order, and the number of each; empty arrays without any latency."""
    known = counted.c.bucket.is_not(None)
    return tuple(
        func.coalesce(
            cast(
                func.array_agg(aggregate_order_by(value, counted.c.bucket)).filter(known),
                ARRAY(kind),
            ),
            literal([], ARRAY(kind)),
        ).label(name)
        for name, value, kind in (
            ("latency_buckets", counted.c.bucket, SmallInteger),
            ("latency_counts", counted.c[number], BigInteger),
        )
    )  # type: ignore[return-value]  # of two


class ExecutionStatsService:
    """Sums again what changed. Safe to stop at any point, and to repeat.

    Marks are removed first and runs read after, in one transaction: a change that is committed
    in between is summed and stays marked; one that is committed later keeps its mark.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.marks = StaleHourService(session, HourlyFigures.EXECUTIONS)

    async def keep_one_mark(self) -> None:
        """Hours that are not over are marked by every change; one mark says as much."""
        if await self._is_alone():
            await self.marks.keep_one_each()

    async def sum_changed(self) -> int:
        """How many hours of agents were summed, the newest first; 0 when all are."""
        if not await self._is_alone():
            return 0
        # An hour of a busy agent takes as long as it takes; no request waits for it.
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        over = func.date_trunc("hour", func.clock_timestamp() - SETTLES_WITHIN, "UTC")
        changed = await self.marks.newest(over, AT_ONCE)
        if changed:
            await self.marks.drop(changed)
            pair = tuple_(ExecutionStatsHour.hour, ExecutionStatsHour.agent_id)
            await self.session.execute(
                delete(ExecutionStatsHour).where(pair.in_(changed)),
                execution_options={"synchronize_session": False},
            )
            await self._sum(changed)
        return len(changed)

    async def _is_alone(self) -> bool:
        """One worker at a time removes marks: each is kept, or summed by who removed it."""
        alone = select(func.pg_try_advisory_xact_lock(SUMMING_LOCK))
        return bool(await self.session.scalar(alone))

    async def _sum(self, changed: list[Place]) -> None:
        moments, agents = zip(*changed, strict=True)
        hours = func.unnest(
            literal(list(moments), ARRAY(DateTime(timezone=True))),
            literal(list(agents), ARRAY(BigInteger)),
        ).table_valued(column("hour", DateTime(timezone=True)), column("agent_id", BigInteger))
        runs = select(Execution).where(Execution.deleted_at.is_(None))
        sums = summed(of_hours(runs, hours.render_derived("hours")))
        await self.session.execute(insert(ExecutionStatsHour).from_select(STORED, sums))
