"""Axes of charts: round numbers with their unit, and times as the wall clock of a zone has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from math import ceil, floor, log10

from app.core.templating import day_and_month
from app.core.texts import _
from app.services.time_windows import DAY, LADDER, Step, Window, boundaries

MOST_STEPS, MOST_TICKS = 5, 8


class Unit(StrEnum):
    """Of values as they are stored: counts, ms, USD, and shares from 0 to 1."""

    COUNT = "count"
    MS = "ms"
    USD = "usd"
    SHARE = "share"


# What milliseconds are written in, from which value on.
DURATIONS = (
    (2 * 3_600_000.0, 3_600_000.0, "h"),
    (120_000.0, 60_000.0, "min"),
    (1000.0, 1000.0, "s"),
)
LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k"))


@dataclass(frozen=True, slots=True)
class Axis:
    """From 0 to ``top`` in equal steps; the labels run from the top down."""

    top: float
    labels: list[str]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the time axis, in percent of its width."""

    percent: float
    at: int
    label: str


def nice_step(value: float, whole: bool) -> float:
    """The smallest round step of which five reach the value: 1, 2, 2.5 or 5 times a power."""
    least = max(value, 1e-9) / MOST_STEPS
    power = 10.0 ** floor(log10(least))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= least * (1 - 1e-9))
    return float(max(1, ceil(step))) if whole else step


def in_unit(value: float, unit: Unit) -> tuple[float, str, str]:
    """What the axis divides values by, and what it writes before and after them."""
    if unit is Unit.MS:
        found = ((size, f" {name}") for least, size, name in DURATIONS if value >= least)
        size, name = next(found, (1.0, " ms"))
        return size, "", name
    if unit is Unit.SHARE:
        return 0.01, "", " %"
    size, name = next(((s / 10 if s == 1e4 else s, n) for s, n in LARGE if value >= s), (1.0, ""))
    return size, "$" if unit is Unit.USD else "", name


def axis_of(values: Sequence[float | None], unit: Unit) -> Axis:
    """High enough for all of the values, and no higher than a round number."""
    highest = max((value for value in values if value is not None), default=0.0)
    size, before, after = in_unit(highest, unit)
    step = nice_step(highest / size or 1.0, whole=size == 1 and unit in (Unit.COUNT, Unit.MS))
    count = max(1, ceil(highest / size / step - 1e-9))
    if unit is Unit.SHARE:
        count = min(count, ceil(100 / step))
    digits = digits_of(step)
    if unit is Unit.USD and size == 1 and digits:
        digits = max(2, digits)  # cents
    labels = [f"{before}{step * n:,.{digits}f}{after}" if n else "0" for n in range(count, -1, -1)]
    return Axis(step * count * size, labels)


def digits_of(step: float) -> int:
    """Behind the point, so that no two labels read the same."""
    return next((digits for digits in range(12) if abs(step - round(step, digits)) < 1e-12), 12)


TICK_LADDER = (*LADDER[:-6], Step("day", 1), Step("day", 2), *LADDER[-6:])


def tick_step(window: Window) -> Step:
    for step in TICK_LADDER:
        if window.length <= MOST_TICKS * step.length:
            return step
    return TICK_LADDER[-1]


def ticks_of(window: Window, zone: tzinfo) -> list[Tick]:
    step = tick_step(window)
    found = boundaries(window.since, window.until, zone, step)
    inside = [moment for moment in found if window.since <= moment <= window.until]
    return [
        Tick(
            round((moment - window.since) / window.length * 100, 2),
            int(moment.timestamp()),
            tick_label(moment.astimezone(zone), step),
        )
        for moment in inside
    ]


def tick_label(there: datetime, step: Step) -> str:
    if step.length < DAY:
        return day_label(there) if (there.hour, there.minute) == (0, 0) else f"{there:%H:%M}"
    if step.unit != "month":
        return day_label(there)
    if step.count >= 12:
        return f"{there:%Y}"
    return f"{there:%b %Y}" if there.month == 1 else f"{there:%b}"


def day_label(there: datetime) -> str:
    return day_and_month(there)


def range_label(window: Window, zone: tzinfo) -> str:
    """``24 Nov, 13:00 to 14:00``; whole days and months by their names."""
    first, last = window.since.astimezone(zone), window.until.astimezone(zone)
    if first.date() == last.date():
        return _(
            "%(day)s, %(first)s to %(last)s",
            day=day_label(first),
            first=first.strftime("%H:%M"),
            last=last.strftime("%H:%M"),
        )
    return span_label(first, last)


def span_label(first: datetime, last: datetime) -> str:
    """Of whole days the last is named as people mean it: it is part of them."""
    if not (first.hour or first.minute or last.hour or last.minute):
        day_before = last.fromordinal(last.toordinal() - 1)
        if day_before.date() == first.date():
            return f"{day_label(first)} {first.year}"
        return _(
            "%(first)s to %(last)s %(year)s",
            first=day_label(first),
            last=day_label(day_before),
            year=day_before.year,
        )
    return _(
        "%(first_day)s, %(first)s to %(last_day)s, %(last)s",
        first_day=day_label(first),
        first=first.strftime("%H:%M"),
        last_day=day_label(last),
        last=last.strftime("%H:%M"),
    )
