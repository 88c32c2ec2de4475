"""Figures and moments as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from jinja2 import UndefinedError

from app.core.templating import Templates, absolute, ago, duration, money, static_url
from app.core.wording import number, plural
from app.pages.charts import nice_top, path_of, points, sparkline

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (9, "just now"),
        (10, "10 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "1 day ago"),
        (86_400 * 2000, "2 Jun 2021"),
        (-5, "just now"),
        (-7200, "in 2 h"),
    ],
)
def test_moment_is_told_from_now(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_moment_is_shown_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert absolute(elsewhere) == "2026-11-23 12:00:00 UTC"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unpriced"),
        (Decimal(0), "$0.00"),
        (Decimal("0.00012"), "$0.0001"),
        (Decimal("0.5"), "$0.5000"),
        (Decimal("1234.567"), "$1,234.57"),
    ],
)
def test_unknown_cost_is_said_and_never_zero(value: Decimal | None, text: str) -> None:
    assert money(value) == text


@pytest.mark.parametrize("value", [Decimal("0.00001"), Decimal("0.000000001")])
def test_smallest_cost_is_not_shown_as_nothing(value: Decimal) -> None:
    assert money(value) == "< $0.0001"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0 ms"), (999, "999 ms"), (1500, "1.5 s"), (120_000, "2.0 min")],
)
def test_duration_has_a_fitting_unit(value: float | None, text: str) -> None:
    assert duration(value) == text


def test_number_is_grouped_and_unknown_is_a_dash() -> None:
    assert (number(1_234_567), number(0), number(None)) == ("1,234,567", "0", "–")


def test_static_url_changes_with_the_file() -> None:
    assert static_url("css/greenroom.css").startswith("/static/css/greenroom.css?v=")


def test_template_escapes_and_refuses_what_it_does_not_know() -> None:
    environment = Templates().environment
    assert environment.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    with pytest.raises(UndefinedError):
        environment.from_string("{{ unknown }}").render()


def test_line_has_a_gap_where_a_value_is_unknown_and_a_dot_between_two() -> None:
    found = points([0, None, 10], 100, 30, 10)
    assert found == [(0.0, 30.0), None, (100.0, 0.0)]
    assert path_of(found) == "M0.0,30.0 L0.0,30.0 M100.0,0.0 L100.0,0.0"  # dots
    assert path_of(points([None, None], 100, 100, 10)) == ""


def test_flat_and_empty_lines_can_be_drawn() -> None:
    assert sparkline([], "none").line == ""
    assert sparkline([0, 0], "flat").line == "M0.0,28.0 L100.0,28.0"


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (0.3, 1), (1, 1), (1.2, 2), (2.3, 2.5), (7, 10), (99, 100), (101, 200)],
)
def test_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_top(value) == top


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1_200, "1,200 runs")]
)
def test_one_thing_is_no_many(count: int, text: str) -> None:
    assert plural(count, "run") == text
