"""Days alone, as date fields send them: moments in the zone of whoever looks, UTC for programs."""

from datetime import UTC, date, datetime, time, timedelta

from app.core.zones import shown_zone
from app.schemas.base import blank_to_none


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
