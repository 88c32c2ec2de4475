"""Steps of charts: round on the wall of a zone, and never more than a chart has room for."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.time_windows import MOST_DAYS, Step, Window

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
EARLIEST = datetime(2001, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "Pacific/Apia",
)


def window(since: str, until: str) -> Window:
    return Window(*(datetime.fromisoformat(f"{text}+00:00") for text in (since, until)))


@pytest.mark.parametrize(
    ("length", "step"),
    [
        (timedelta(minutes=5), Step("minute", 1)),
        (timedelta(hours=1), Step("minute", 2)),
        (timedelta(hours=12), Step("hour", 1)),
        (timedelta(hours=24), Step("hour", 1)),
        (timedelta(days=7), Step("hour", 4)),
        (timedelta(days=30), Step("day", 1)),
        (timedelta(days=90), Step("day", 1)),
        (timedelta(days=200), Step("week", 1)),
        (timedelta(days=800), Step("month", 1)),
        (timedelta(days=36_500), Step("month", 60)),
    ],
)
def test_step_is_the_finest_that_fits(length: timedelta, step: Step) -> None:
    now = datetime(2026, 11, 26, 18, 23, tzinfo=UTC)
    assert Window(now - length, now).step == step


def test_day_begins_at_midnight_of_the_zone_and_may_have_25_hours() -> None:
    steps = window("2026-10-10T18:23:11", "2026-11-09T18:23:11").buckets(BERLIN)
    there = {step.since.astimezone(BERLIN).strftime("%H:%M") for step in steps}
    assert there == {"00:00"}
    assert {step.length for step in steps} == {timedelta(hours=24), timedelta(hours=25)}


def test_hour_that_a_clock_shows_twice_is_two_steps() -> None:
    steps = window("2026-10-24T20:00:00", "2026-10-25T20:00:00").buckets(BERLIN)
    assert len(steps) == 24
    assert {step.length for step in steps} == {timedelta(hours=1)}


def test_day_of_stored_sums_begins_on_an_hour_of_utc() -> None:
    asked = window("2026-10-20T18:40:00", "2026-11-19T18:40:00")
    [true, *_] = asked.buckets(KOLKATA)
    [stored, *_] = asked.buckets(KOLKATA, of_whole_hours=True)
    assert f"{true.since.astimezone(KOLKATA):%H:%M}" == "00:00"
    assert f"{stored.since.astimezone(KOLKATA):%H:%M}" == "23:30"


def test_months_are_those_of_the_calendar() -> None:
    steps = window("2025-01-15T00:00:00", "2026-03-02T00:00:00").buckets()
    assert [f"{step.since:%d %b}" for step in steps[:3]] == ["01 Jan", "01 Feb", "01 Mar"]


@given(
    st.timedeltas(timedelta(0), timedelta(days=12_000)).map(EARLIEST.__add__),
    st.timedeltas(timedelta(minutes=5), timedelta(days=3650)),
    st.sampled_from(ZONES),
    st.booleans(),
)
def test_steps_cover_the_window_without_gap_or_overlap(
    since: datetime, length: timedelta, zone: str, whole: bool
) -> None:
    asked = Window(since, since + length)
    steps = asked.buckets(ZoneInfo(zone), of_whole_hours=whole)
    assert steps[0].since <= asked.since < steps[0].until
    assert steps[-1].since < asked.until <= steps[-1].until
    assert all(one.until == other.since for one, other in pairwise(steps))
    assert all(step.length > timedelta(0) for step in steps)
    assert len(steps) <= MOST_DAYS + 2
