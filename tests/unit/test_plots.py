"""Charts over time: round axes, words for every step, and gaps where nothing is known."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.pages.axes import Unit, axis_of, range_label, ticks_of
from app.pages.figures_view import change_in, change_in_points
from app.pages.plots import COST, LATENCY, RUNS, Plot, Steps, plot_of
from app.services.statistics import NOTHING, Bucket, Figures
from app.services.time_windows import Window

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def of(runs: int, failed: int = 0, cost: str | None = "0.5", p50: float | None = 900) -> Figures:
    price = None if cost is None else Decimal(cost)
    return Figures(runs, failed, price, 0 if cost else runs, 1, 1, p50, p50, p50)


def steps(*figures: Figures) -> Steps:
    windows = [Window(NOON + n * HOUR, NOON + (n + 1) * HOUR) for n in range(len(figures))]
    buckets = [Bucket(*pair) for pair in zip(windows, figures, strict=True)]
    shown = Window(NOON + timedelta(minutes=20), windows[-1].until)
    return Steps(buckets, shown, UTC, lambda window: f"/runs?{window.since:%H:%M}")


def plot(kind: object, *figures: Figures) -> Plot:
    return plot_of(kind, steps(*figures), "in short")  # type: ignore[arg-type]  # one of three


@pytest.mark.parametrize(
    ("highest", "unit", "labels"),
    [
        (0, Unit.COUNT, ["1", "0"]),
        (3, Unit.COUNT, ["3", "2", "1", "0"]),
        (1234, Unit.COUNT, ["1,250", "1,000", "750", "500", "250", "0"]),
        (3.2e9, Unit.COUNT, ["4B", "3B", "2B", "1B", "0"]),
        (0.31, Unit.SHARE, ["40 %", "30 %", "20 %", "10 %", "0"]),
        (1.0, Unit.SHARE, ["100 %", "80 %", "60 %", "40 %", "20 %", "0"]),
        (31_000, Unit.MS, ["40 s", "30 s", "20 s", "10 s", "0"]),
        (9_000_000, Unit.MS, ["2.5 h", "2.0 h", "1.5 h", "1.0 h", "0.5 h", "0"]),
        (1.3, Unit.USD, ["$1.50", "$1.00", "$0.50", "0"]),
        (0.0004, Unit.USD, ["$0.0004", "$0.0003", "$0.0002", "$0.0001", "0"]),
    ],
)
def test_axis_ends_on_a_round_number_with_its_unit(
    highest: float, unit: Unit, labels: list[str]
) -> None:
    axis = axis_of([None, highest], unit)
    assert axis.labels == labels
    assert axis.top >= highest


def test_time_axis_names_midnight_by_its_day() -> None:
    ticks = ticks_of(Window(NOON, NOON + 24 * HOUR), UTC)
    assert [tick.label for tick in ticks] == [
        *("12:00", "15:00", "18:00", "21:00", "27 Nov", "03:00", "06:00", "09:00", "12:00")
    ][: len(ticks)]
    assert (ticks[0].percent, ticks[-1].percent) == (0, 100)


def test_failed_runs_stand_on_the_others() -> None:
    [slot] = plot(RUNS, of(10, 4)).slots
    good, bad = slot.bars
    assert (good.css, bad.css) == ("", "bad")
    assert (bad.y, bad.height, good.y, good.height) == (0, 40, 40, 60)
    assert slot.title == "26 Nov, 12:00 to 13:00, in part: 10 runs, 4 failed"


def test_step_without_runs_is_a_gap_and_no_zero() -> None:
    made = plot(LATENCY, of(2), NOTHING, of(1))
    assert made.lines[-1].d.count("M") == 2
    assert made.rows[1] == ("26 Nov, 13:00 to 14:00", None, ["–", "–", "–"])


def test_unknown_cost_is_said_and_not_drawn() -> None:
    made = plot(COST, of(2, cost=None), of(1, cost="0.25"))
    assert [len(slot.bars) for slot in made.slots] == [0, 1]
    assert [cells for _, _, cells in made.rows] == [["unpriced"], ["$0.2500"]]


def test_step_leads_to_its_runs_within_what_is_shown() -> None:
    made = plot(RUNS, of(1), NOTHING)
    assert [link for _, link, _ in made.rows] == ["/runs?12:20", None]


def test_whole_days_are_named_as_people_mean_them() -> None:
    day = timedelta(days=1)
    midnight = NOON - 12 * HOUR
    assert range_label(Window(midnight, midnight + day), UTC) == "26 Nov 2026"
    assert range_label(Window(midnight, midnight + 7 * day), UTC) == "26 Nov to 2 Dec 2026"
    assert range_label(Window(NOON, NOON + day), UTC) == "26 Nov, 12:00 to 27 Nov, 12:00"


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (112.0, 100.0, "+12 % vs the 24 h before"),
        (50.0, 100.0, "−50 % vs the 24 h before"),
        (100.0, 100.2, "as in the 24 h before"),
        (5.0, 0.0, "nothing in the 24 h before"),
        (5.0, None, "nothing in the 24 h before"),
        (9e9, 1.0, "+over 10,000 % vs the 24 h before"),
    ],
)
def test_change_is_told_against_the_time_before(
    now: float, before: float | None, text: str
) -> None:
    assert change_in(now, before, "24 h") == text


def test_shares_differ_by_points() -> None:
    assert change_in_points(0.222, 0.074, "7 d") == "+14.8 points vs the 7 d before"
    assert change_in_points(0.1, 0.1, "7 d") == "as in the 7 d before"
