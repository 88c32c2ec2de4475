"""Which hours of which agents are to be counted anew: marked by who writes runs, taken by who
counts. Marks of sums over runs are made by triggers; those of calls of tools here.

Figures are counted from the rows, an hour of an agent at a time and whole, so that runs and steps
that come late, twice or changed count once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    any_,
    delete,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.database import before_commit
from app.models import Execution, HourlyFigures, StaleHour

MARKED = "stale_hours"
# In one order for all; a mark that this transaction has made already stays.
MARK = text("""
INSERT INTO stale_hours (figures, agent_id, hour)
SELECT figures, agent_id, hour
FROM unnest(CAST(:figures AS text[]), CAST(:agents AS bigint[]), CAST(:hours AS timestamptz[]))
    AS m (figures, agent_id, hour)
WHERE hour >= coalesce((SELECT runs_before FROM retention_states), '-infinity')
ORDER BY figures, agent_id, hour
ON CONFLICT DO NOTHING
""")
Mark = tuple[str, int, datetime]
Place = tuple[datetime, int]  # an hour of an agent


@dataclass(frozen=True, slots=True)
class Stale:
    """An hour of an agent, and the transactions whose changes counting it now will see."""

    agent_id: int
    hour: datetime
    transactions: Sequence[int]

    @property
    def end(self) -> datetime:
        return self.hour + timedelta(hours=1)


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def mark_stale(session: AsyncSession, figures: HourlyFigures, execution: Execution) -> None:
    """Have the hour of this run counted anew; written once, at the end of the unit of work.

    Whoever moves a run to another start marks it before and after.
    """
    mark_hour(session, figures, execution.agent_id, execution.started_at)


def mark_hour(
    session: AsyncSession, figures: HourlyFigures, agent_id: int, moment: datetime
) -> None:
    """As ``mark_stale``, of an agent's run that began at this moment."""
    marked: set[Mark] | None = session.info.get(MARKED)
    if marked is None:
        marked = session.info[MARKED] = set()
        before_commit(session, write_marks)
    marked.add((figures.value, agent_id, hour_of(moment)))


async def write_marks(session: AsyncSession) -> None:
    marked = sorted(session.info.pop(MARKED, ()))
    figures, agents, hours = zip(*marked, strict=True)
    await session.execute(
        MARK, {"figures": list(figures), "agents": list(agents), "hours": list(hours)}
    )


class StaleHourService:
    """The marks of one kind of figures."""

    resource = "stale_hours"

    def __init__(self, session: AsyncSession, figures: HourlyFigures) -> None:
        self.session = session
        self.figures = figures

    async def settle(self, stale: Stale) -> bool:
        """Remove the marks that were counted; those that came meanwhile stay.

        False when somebody else has counted them: theirs may be newer, ours is to be dropped.
        """
        seen = literal(list(stale.transactions), ARRAY(BigInteger))
        gone = await self.session.scalars(
            delete(StaleHour)
            .where(
                StaleHour.figures == self.figures,
                StaleHour.agent_id == stale.agent_id,
                StaleHour.hour == stale.hour,
                StaleHour.transaction == any_(seen),
            )
            .returning(StaleHour.transaction),
            execution_options={"synchronize_session": False},
        )
        return len(gone.all()) == len(stale.transactions)

    async def newest(self, before: ColumnElement[datetime], size: int) -> list[Place]:
        """Marked hours before this one, the newest first, each with its agent."""
        statement = (
            select(StaleHour.hour, StaleHour.agent_id)
            .where(StaleHour.figures == self.figures, StaleHour.hour < before)
            .distinct()
            .order_by(StaleHour.hour.desc())
            .limit(size)
        )
        return [(row[0], row[1]) for row in await self.session.execute(statement)]

    async def drop(self, places: Sequence[Place]) -> None:
        """Remove all marks of these hours; what they stand for is to be read after this."""
        pair = tuple_(StaleHour.hour, StaleHour.agent_id)
        await self.session.execute(
            delete(StaleHour).where(StaleHour.figures == self.figures, pair.in_(places)),
            execution_options={"synchronize_session": False},
        )

    async def keep_one_each(self) -> None:
        """Leave the newest mark of each hour, where nobody asks whose it is."""
        newer = aliased(StaleHour)
        has_newer = exists().where(
            newer.figures == StaleHour.figures,
            newer.hour == StaleHour.hour,
            newer.agent_id == StaleHour.agent_id,
            newer.transaction > StaleHour.transaction,
        )
        await self.session.execute(
            delete(StaleHour).where(StaleHour.figures == self.figures, has_newer),
            execution_options={"synchronize_session": False},
        )

    async def forget(self, kept_for: timedelta) -> None:
        """Hours so long ago are counted no more."""
        old = StaleHour.hour < func.clock_timestamp() - kept_for
        await self.session.execute(
            delete(StaleHour).where(StaleHour.figures == self.figures, old),
            execution_options={"synchronize_session": False},
        )
