"""The last day of several agents at once, hour by hour, from the hourly sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models.executions import ExecutionStatus
from app.services.execution_sums import Asked, Hours, hourly_sums
from app.services.executions import ExecutionService
from app.services.time_windows import DAY, HOUR, floor_hour


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """Runs and failed ones by the hour (UTC), the first and the last hour cut short."""

    starts: tuple[datetime, ...]
    runs: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.runs)

    @property
    def total_failed(self) -> int:
        return sum(self.failed)


async def last_day_of(
    session: AsyncSession, actor: Actor, agent_ids: Sequence[int]
) -> dict[int, RecentRuns]:
    """Of every one of these agents; what the actor may not see counts for nothing. One query."""
    actor.require(Permission.EXECUTIONS_READ)
    until = datetime.now(UTC)
    since = until - DAY
    hours = Hours.within(since, until)
    if hours is None or not agent_ids:
        return {}
    asked = Asked(since, until, list(agent_ids))
    sums = hourly_sums(ExecutionService(session, actor), asked, hours).c
    runs = cast(func.sum(sums.runs), BigInteger)
    failed = cast(
        func.sum(sums.runs).filter(sums.status == ExecutionStatus.FAILED.value), BigInteger
    )
    statement = select(sums.agent_id, sums.hour, runs, failed).group_by(sums.agent_id, sums.hour)
    found = {(row[0], row[1]): (row[2], row[3] or 0) for row in await session.execute(statement)}
    first = floor_hour(since)
    starts = tuple(first + number * HOUR for number in range(25))
    return {agent_id: recent(found, agent_id, starts) for agent_id in agent_ids}


def recent(
    found: dict[tuple[int, datetime], tuple[int, int]],
    agent_id: int,
    starts: tuple[datetime, ...],
) -> RecentRuns:
    numbers = [found.get((agent_id, start), (0, 0)) for start in starts]
    runs, failed = zip(*numbers, strict=True)
    return RecentRuns(starts, runs, failed)
