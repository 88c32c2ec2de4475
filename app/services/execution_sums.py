"""Statements that sum runs over any time: whole hours as they are stored, the rest from rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Select,
    cast,
    column,
    exists,
    func,
    null,
    select,
    true,
    union_all,
)

from app.models import Agent, Execution, ExecutionStatsHour, HourlyFigures, StaleHour
from app.models.executions import ExecutionStatus
from app.services.execution_reads import ExecutionReader
from app.services.execution_stats import (
    HOUR,
    RUN,
    STORED,
    SUMS,
    histogram,
    of_hours,
    summed,
)
from app.services.time_windows import floor_hour


@dataclass(frozen=True, slots=True)
class Hours:
    """The whole hours from ``start`` to ``end``, within a longer time."""

    start: datetime
    end: datetime

    @classmethod
    def within(cls, since: datetime, until: datetime) -> "Hours | None":
        end = floor_hour(until)
        start = floor_hour(since + HOUR - timedelta(microseconds=1))
        return cls(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose runs, and from when to when."""

    since: datetime
    until: datetime
    agent_ids: Sequence[int] | None = None


def hourly_sums(reader: ExecutionReader, asked: Asked, hours: Hours) -> CTE:
    """Sums that are the same as over the rows, in one statement and so of one moment.

    Rows are read of the hours at the edges, and of those that changed since they were summed.
    """

    def rules(agent_id: Any) -> list[ColumnElement[bool]]:  # a column of any table
        seen = reader.seen_sums(agent_id)
        return seen if asked.agent_ids is None else [*seen, agent_id.in_(asked.agent_ids)]

    def inside(model: Any) -> list[ColumnElement[bool]]:  # a mapped class
        return [model.hour >= hours.start, model.hour < hours.end, *rules(model.agent_id)]

    runs = reader.visible().where(*rules(Execution.agent_id))
    is_mark = StaleHour.figures == HourlyFigures.EXECUTIONS
    changed = select(StaleHour.hour, StaleHour.agent_id).where(is_mark, *inside(StaleHour))
    started = Execution.started_at
    before = runs.where(started >= asked.since, started < hours.start)
    after = runs.where(started >= hours.end, started < asked.until)
    live = union_all(
        before.with_only_columns(*RUN),
        after.with_only_columns(*RUN),
        of_hours(runs, changed.distinct().subquery("changed")),
    )
    is_changed = exists().where(
        is_mark,
        StaleHour.hour == ExecutionStatsHour.hour,
        StaleHour.agent_id == ExecutionStatsHour.agent_id,
    )
    stored = select(*(getattr(ExecutionStatsHour, name) for name in STORED)).where(
        *inside(ExecutionStatsHour), ~is_changed
    )
    return union_all(stored, summed(live)).cte("sums")


def by_keys(sums: CTE, keys: Sequence[ColumnElement[Any]]) -> FromClause:
    """Of each key (``k0``, ``k1`` …): the sums, ``failed`` and the histogram."""
    named = [key.label(f"k{number}") for number, key in enumerate(keys)]
    keyed = (
        select(*named, *(c for c in sums.c if c.name not in {"hour", "agent_id", "model_name"}))
        .select_from(sums)
        .join(Agent, Agent.id == sums.c.agent_id)
        .cte("keyed")
    )
    groups = [keyed.c[label.name] for label in named]
    failed = keyed.c.status == ExecutionStatus.FAILED
    totals = select(
        *groups,
        *(cast(func.sum(keyed.c[name]), Numeric).label(name) for name in SUMS),
        cast(func.sum(keyed.c.runs).filter(failed), Numeric).label("failed"),
        cast(null(), Integer).label("bucket"),
        cast(null(), BigInteger).label("latencies"),
    ).group_by(*groups)
    each = func.unnest(keyed.c.latency_buckets, keyed.c.latency_counts).table_valued(
        column("bucket", Integer), column("number", BigInteger)
    )
    each = each.render_derived("each")
    counted = (
        select(
            *groups,
            *(cast(null(), Numeric).label(name) for name in (*SUMS, "failed")),
            each.c.bucket,
            cast(func.sum(each.c.number), BigInteger).label("latencies"),
        )
        .select_from(keyed)
        .join(each, true())
        .group_by(*groups, each.c.bucket)
    )
    return folded(union_all(totals, counted).subquery("parts"), len(keys))


def folded(parts: FromClause, keys: int) -> FromClause:
    groups = [parts.c[f"k{number}"] for number in range(keys)]
    sums = [func.sum(parts.c[name]).label(name) for name in (*SUMS, "failed")]
    found: Select[*tuple[Any, ...]] = select(*groups, *sums, *histogram(parts, "latencies"))
    return found.group_by(*groups).subquery("figures")
