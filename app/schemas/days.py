"""Days alone, as date fields send them, and ranges up to now.

Days are moments in the zone of whoever looks, UTC for programs.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from app.core.zones import shown_zone
from app.schemas.base import Input, Moment, blank_to_none


class TimeRange(StrEnum):
    """Up to now; a link or a view keeps its meaning."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


SPANS: Mapping[TimeRange, timedelta] = {
    TimeRange.HOUR: timedelta(hours=1),
    TimeRange.DAY: timedelta(hours=24),
    TimeRange.WEEK: timedelta(days=7),
    TimeRange.MONTH: timedelta(days=30),
}


def start_of_day(value: object) -> object:
    """The day's first moment; anything but a day stays as it is."""
    return midnight_of(value, days_later=0)


def end_of_day(value: object) -> object:
    """The first moment after the day, which is then part of what lies before."""
    return midnight_of(value, days_later=1)


def midnight_of(value: object, days_later: int) -> object:
    if not isinstance(value, str) or len(value) != len("2026-01-31"):
        return blank_to_none(value)
    try:
        day = date.fromisoformat(value) + timedelta(days=days_later)
        return datetime.combine(day, time(), shown_zone()).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return value


class InTime(Input):
    """Rows of some time, as the chip of a list says it: up to now, or by days."""

    range: Annotated[TimeRange | None, BeforeValidator(blank_to_none)] = None
    since: Annotated[Moment | None, BeforeValidator(start_of_day)] = None
    until: Annotated[Moment | None, BeforeValidator(end_of_day)] = None

    @model_validator(mode="after")
    def _range_up_to_now(self) -> Self:
        if self.range is not None and self.since is None:
            self.since = datetime.now(UTC) - SPANS[self.range]
        return self
