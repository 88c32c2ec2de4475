"""Sums over runs, as the API is asked for them and answers."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import model_validator

from app.schemas.base import Amount, Input, Moment, Output, RowId

LONGEST = timedelta(days=366)
USUAL = timedelta(days=1)


class GroupBy(StrEnum):
    STATUS = "status"
    MODEL = "model"
    AGENT = "agent"
    HOUR = "hour"
    DAY = "day"


class StatisticsQuery(Input):
    group_by: GroupBy = GroupBy.STATUS
    """What each sum is for."""
    agent_id: RowId | None = None
    """Runs of this agent alone."""
    since: Moment | None = None
    """Absent: a day before ``until``."""
    until: Moment | None = None
    """Absent: now."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        until = self.until or datetime.now(UTC)
        since = self.since or until - USUAL
        if not since < until <= since + LONGEST:
            raise ValueError("since must be before until, and at most 366 days before")
        self.since, self.until = since, until
        return self


class FiguresRead(Output):
    """Unknown cost is counted as ``unpriced``, never taken as 0."""

    runs: int
    failed: int
    input_tokens: int | None
    output_tokens: int | None
    cost: Amount | None
    """USD, of the runs whose cost is known."""
    unpriced: int
    p50_ms: float | None
    """Milliseconds, of the runs whose latency is known: half of them took no longer. Where
    `latencies_are_exact` is false an estimate, at most 3.2 % above or below the true value."""
    p95_ms: float | None
    """As `p50_ms`, of 95 in 100 runs; where `latencies_are_exact` is false at most 3.2 % off."""
    p99_ms: float | None
    """As `p50_ms`, of 99 in 100 runs; where `latencies_are_exact` is false at most 3.2 % off."""


class GroupRead(FiguresRead):
    key: str | None
    """The status, model, agent's name, or the start of the hour or day (UTC)."""
    agent_id: int | None


class StatisticsRead(Output):
    since: datetime
    until: datetime
    group_by: GroupBy
    latencies_are_exact: bool
    """False of more than 10,000 runs: p50, p95 and p99 are then estimated from histograms, each at
    most 3.2 % above or below the true value. All other figures are exact always."""
    total: FiguresRead
    groups: list[GroupRead]
    """At most 1,000."""
