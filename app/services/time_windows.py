"""Spans of time, and the steps that charts cut them into: of hours and days as people live them.

Boundaries follow the clock on the wall of a zone, so a day may have 23 or 25 hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Self

from app.schemas.statistics import USUAL, StatisticsQuery

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH, YEAR = timedelta(days=30.44), timedelta(days=365.25)
# Shorter ones are read from the rows in any steps, longer ones from sums of whole hours.
HOURLY_FROM = timedelta(hours=12)
MOST_BUCKETS = 42
MOST_DAYS = 93


@dataclass(frozen=True, slots=True)
class Step:
    """So many minutes, hours, days, weeks or months."""

    unit: str
    count: int

    @property
    def length(self) -> timedelta:
        """About as long as one is."""
        return self.count * {
            "minute": timedelta(minutes=1),
            "hour": HOUR,
            "day": DAY,
            "week": 7 * DAY,
            "month": MONTH,
        }.get(self.unit, DAY)

    def floor(self, there: datetime) -> datetime:
        """The last boundary at or before a time on the wall."""
        midnight = there.replace(hour=0, minute=0, second=0, microsecond=0)
        match self.unit:
            case "minute" | "hour":
                return midnight + (there - midnight) // self.length * self.length
            case "day":
                return midnight - (there.toordinal() % self.count) * DAY
            case "week":
                return midnight - there.weekday() * DAY
        return first_of_month(midnight, months_of(there) // self.count * self.count)

    def after(self, boundary: datetime) -> datetime:
        """The next boundary on the wall."""
        if self.unit == "month":
            return first_of_month(boundary, months_of(boundary) + self.count)
        return boundary + self.length


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def months_of(there: datetime) -> int:
    return there.year * 12 + there.month - 1


def first_of_month(there: datetime, months: int) -> datetime:
    return there.replace(year=months // 12, month=months % 12 + 1, day=1)


LADDER = (
    *(Step("minute", count) for count in (1, 2, 5, 10, 15, 30)),
    *(Step("hour", count) for count in (1, 2, 3, 4, 6, 12)),
    Step("day", 1),
    Step("week", 1),
    *(Step("month", count) for count in (1, 3, 12, 60, 240)),
)


def bucket_step(length: timedelta) -> Step:
    """The finest step that a chart of this length has room for."""
    for step in LADDER:
        if step.length < HOUR and length >= HOURLY_FROM:
            continue
        if length <= (MOST_DAYS if step == Step("day", 1) else MOST_BUCKETS) * step.length:
            return step
    return LADDER[-1]


def boundaries(since: datetime, until: datetime, zone: tzinfo, step: Step) -> Iterator[datetime]:
    """In UTC: from the one at or before ``since`` to the first at or after ``until``."""
    if step.length <= HOUR:
        # Steps on the wall would leave out the hour that a clock shows twice.
        moment = step.floor(since.astimezone(zone).replace(tzinfo=None, fold=0))
        moment = moment.replace(tzinfo=zone, fold=since.astimezone(zone).fold).astimezone(UTC)
        while moment < until:
            yield moment
            moment += step.length
        yield moment
        return
    there = step.floor(since.astimezone(zone).replace(tzinfo=None))
    before = None
    while before is None or before < until:
        moment = there.replace(tzinfo=zone).astimezone(UTC)
        if before is None or moment > before:
            yield moment
            before = moment
        there = step.after(there)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time: from ``since`` up to, and without, ``until``."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, query: StatisticsQuery) -> Self:
        until = query.until or datetime.now(UTC)
        return cls(query.since or until - USUAL, until)

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    @property
    def before(self) -> Self:
        """The same length of time just before."""
        return type(self)(self.since - self.length, self.since)

    @property
    def step(self) -> Step:
        return bucket_step(self.length)

    def buckets(self, zone: tzinfo = UTC, *, of_whole_hours: bool = False) -> list[Self]:
        """The window in steps; the first may begin before it, and the last end after it.

        With ``of_whole_hours`` those of an hour or more begin on hours of UTC, as sums are stored:
        in a zone that is half an hour off, the day then begins half an hour early.
        """
        step = self.step
        floored = of_whole_hours and step.length >= HOUR
        found = boundaries(self.since, self.until + HOUR * floored, zone, step)
        moments = [floor_hour(moment) if floored else moment for moment in found]
        steps = (type(self)(*pair) for pair in pairwise(dict.fromkeys(moments)))
        return [s for s in steps if s.since < self.until and s.until > self.since]
