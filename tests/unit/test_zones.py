"""Moments in the zone of who looks at them."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from app.core.templating import absolute, ago, short_moment
from app.core.zones import show_in, zone_choices, zone_named
from app.schemas.users import TimeZoneChoice

SUMMER, WINTER = (
    datetime(2026, 7, 1, 21, 30, tzinfo=UTC),
    datetime(2026, 11, 23, 21, 30, tzinfo=UTC),
)


@pytest.fixture(autouse=True)
def _in_utc_again() -> Iterator[None]:
    yield
    show_in("UTC")


@pytest.mark.parametrize(
    ("zone", "moment", "text"),
    [
        ("UTC", WINTER, "2026-11-23 21:30:00 UTC"),
        ("Europe/Berlin", WINTER, "2026-11-23 22:30:00 UTC+01:00"),
        ("Europe/Berlin", SUMMER, "2026-07-01 23:30:00 UTC+02:00"),
        ("Asia/Kathmandu", WINTER, "2026-11-24 03:15:00 UTC+05:45"),
        ("America/New_York", WINTER, "2026-11-23 16:30:00 UTC-05:00"),
        ("Europe/London", WINTER, "2026-11-23 21:30:00 UTC"),
        ("Mars/Olympus", WINTER, "2026-11-23 21:30:00 UTC"),
    ],
)
def test_moment_is_shown_in_the_chosen_zone_with_its_offset(
    zone: str, moment: datetime, text: str
) -> None:
    show_in(zone)
    assert absolute(moment) == text


def test_day_of_an_old_moment_is_the_day_there() -> None:
    show_in("Asia/Kathmandu")
    assert ago(WINTER, datetime(2027, 6, 1, tzinfo=UTC)) == "24 Nov 2026"
    assert short_moment(WINTER) == "24 Nov, 03:15"


def test_list_of_zones_begins_with_utc_and_leaves_old_names_out() -> None:
    choices = zone_choices(WINTER)
    assert choices[0] == ("UTC", "UTC")
    assert ("Asia/Kolkata", "UTC+05:30") in choices
    names = {name for name, _ in choices}
    assert not names & {"US/Eastern", "Etc/GMT+5", "EST", "localtime", "posixrules"}


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "europe/berlin", "x" * 65]
)
def test_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TimeZoneChoice(time_zone=name)


def test_old_name_that_a_browser_sends_is_taken() -> None:
    assert TimeZoneChoice(time_zone="Asia/Calcutta").time_zone == "Asia/Calcutta"
    assert zone_named("Asia/Calcutta").key == "Asia/Calcutta"


def test_zones_are_known_on_a_machine_without_a_database_of_them() -> None:
    """A slim container has none; the tzdata package is one."""
    kept = zoneinfo.TZPATH
    try:
        zoneinfo.reset_tzpath(to=())
        assert {"Asia/Kolkata", "America/New_York", "UTC"} <= zoneinfo.available_timezones()
    finally:
        zoneinfo.reset_tzpath(to=kept)
