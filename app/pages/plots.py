"""Charts over time: drawn as SVG here, and drawn again by the browser where one may hover."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Any

from app.core.templating import duration, money
from app.core.texts import _, lazy, ngettext
from app.core.wording import number
from app.pages.axes import Axis, Tick, Unit, axis_of, range_label, ticks_of
from app.pages.charts import path_of
from app.services.statistics import Bucket, Figures
from app.services.time_windows import Window

Value = float | None
GAP = 0.14  # of a bar's width, left free beside it


@dataclass(frozen=True, slots=True)
class Series:
    """``css`` colours the line or the bars; ``texts`` are the values as people read them."""

    label: str
    css: str
    values: list[Value]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class Bar:
    """In a box of 1000 by 100, from the top down."""

    css: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Slot:
    """One step of time, over the whole height: what hovering it says, and its bars."""

    x: float
    width: float
    title: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Line:
    """``bridges`` join what is known across steps of which nothing is known."""

    css: str
    label: str
    d: str
    bridges: str


@dataclass(frozen=True, slots=True)
class Plot:
    """All that a template places; ``data`` is for the browser."""

    name: str
    title: str
    summary: str
    axis: Axis
    ticks: list[Tick]
    slots: list[Slot]
    lines: list[Line]
    series: list[Series]
    rows: list[tuple[str, str | None, list[str]]]
    data: dict[str, Any]  # JSON for the browser's script

    @property
    def is_empty(self) -> bool:
        return not any(value is not None for each in self.series for value in each.values)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a chart shows, of which unit, as bars upon each other or as lines."""

    name: str
    title: str
    unit: Unit
    is_bars: bool
    series: Callable[[list[Figures]], list[Series]]


def series_of(
    label: str, css: str, values: Sequence[Value], written: Callable[[Any], str]
) -> Series:
    texts = ["–" if value is None else written(value) for value in values]
    return Series(label, css, list(values), texts)


def runs_series(figures: list[Figures]) -> list[Series]:
    runs = [float(f.runs) for f in figures]
    failed = [float(f.failed) for f in figures]
    whole: Callable[[float], str] = lambda value: number(int(value))  # noqa: E731  (typed)
    return [series_of(_("runs"), "", runs, whole), series_of(_("failed"), "bad", failed, whole)]


def failure_series(figures: list[Figures]) -> list[Series]:
    return [series_of(_("failed"), "c", [f.failure_rate for f in figures], percent)]


def cost_series(figures: list[Figures]) -> list[Series]:
    """Of no runs the cost is known, and nothing."""
    costs = [f.cost if f.runs else None for f in figures]
    values = [None if cost is None else float(cost) for cost in costs]
    return [
        Series(
            "cost",
            "",
            values,
            [money(c) if f.runs else "–" for f, c in zip(figures, costs, strict=True)],
        )
    ]


def latency_series(figures: list[Figures]) -> list[Series]:
    return [
        series_of("p99", "d", [f.p99_ms for f in figures], duration),
        series_of("p95", "b", [f.p95_ms for f in figures], duration),
        series_of("p50", "", [f.p50_ms for f in figures], duration),
    ]


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


RUNS = Kind("runs", lazy("Executions"), Unit.COUNT, True, runs_series)
FAILURES = Kind("failures", lazy("Failed runs"), Unit.SHARE, False, failure_series)
COST = Kind("cost", lazy("Cost"), Unit.USD, True, cost_series)
LATENCY = Kind("latency", lazy("Latency"), Unit.MS, False, latency_series)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of all charts of a page, with the words for each and a link to its runs."""

    buckets: list[Bucket]
    shown: Window
    zone: tzinfo
    runs_href: Callable[[Window], str] | None = None

    @property
    def frame(self) -> Window:
        """From the start of the first step to the end of the last."""
        return Window(self.buckets[0].window.since, self.buckets[-1].window.until)

    def words(self, bucket: Bucket) -> str:
        cut = bucket.window.since < self.shown.since or bucket.window.until > self.shown.until
        label = range_label(bucket.window, self.zone)
        return _("%(time)s, in part", time=label) if cut else label

    def href(self, bucket: Bucket) -> str | None:
        if self.runs_href is None or not bucket.figures.runs:
            return None
        inside = Window(
            max(bucket.window.since, self.shown.since), min(bucket.window.until, self.shown.until)
        )
        return self.runs_href(inside)

    def place(self, moment: datetime) -> float:
        """In thousandths of the width."""
        return (moment - self.frame.since) / self.frame.length * 1000


def plot_of(kind: Kind, steps: Steps, summary: str) -> Plot:
    series = kind.series([bucket.figures for bucket in steps.buckets])
    axis = axis_of([value for each in series for value in each.values], kind.unit)
    words = [steps.words(bucket) for bucket in steps.buckets]
    ticks = ticks_of(steps.frame, steps.zone)
    texts = list(zip(*(each.texts for each in series), strict=True))
    return Plot(
        name=kind.name,
        title=kind.title,
        summary=summary,
        axis=axis,
        ticks=ticks,
        slots=[
            slot(
                steps,
                place,
                f"{words[place]}: {said(series, place)}",
                drawn(kind, series, place, axis),
            )
            for place in range(len(steps.buckets))
        ],
        lines=[] if kind.is_bars else [line(each, steps, axis) for each in series],
        series=series,
        rows=[
            (word, steps.href(bucket), list(cells))
            for word, bucket, cells in zip(words, steps.buckets, texts, strict=True)
        ],
        data=data_of(kind, steps, series, axis)
        | {"words": words, "ticks": [(t.at, t.label) for t in ticks]},
    )


def said(series: list[Series], place: int) -> str:
    return ", ".join(f"{each.texts[place]} {each.label}" for each in series)


def drawn(
    kind: Kind, series: list[Series], place: int, axis: Axis
) -> list[tuple[str, float, float]]:
    """Bars as (css, from, to) in shares of the height: the failed ones stand on top."""
    if not kind.is_bars:
        return []
    whole, *parts = [(each.css, (each.values[place] or 0.0) / axis.top) for each in series]
    top = whole[1]
    bars = [(css, top - share, top) for css, share in parts]
    return [(whole[0], 0.0, top - sum(share for css, share in parts)), *bars]


def slot(steps: Steps, place: int, title: str, bars: list[tuple[str, float, float]]) -> Slot:
    window = steps.buckets[place].window
    x, end = steps.place(window.since), steps.place(window.until)
    inset = (end - x) * GAP / 2
    made = [
        Bar(
            css,
            round(x + inset, 2),
            round((1 - high) * 100, 2),
            round(end - x - 2 * inset, 2),
            round((high - low) * 100, 2),
        )
        for css, low, high in bars
        if high > low
    ]
    return Slot(round(x, 2), round(end - x, 2), title, made)


def line(series: Series, steps: Steps, axis: Axis) -> Line:
    """Through the middle of each step; with a gap where nothing is known."""
    points = [
        None
        if value is None
        else (round(middle(steps, bucket), 1), round((1 - value / axis.top) * 100, 2))
        for bucket, value in zip(steps.buckets, series.values, strict=True)
    ]
    return Line(series.css, series.label, path_of(points), bridges_of(points))


def bridges_of(points: Sequence[tuple[float, float] | None]) -> str:
    known = [(place, point) for place, point in enumerate(points) if point]
    return " ".join(
        f"M{left[0]},{left[1]} L{right[0]},{right[1]}"
        for (before, left), (after, right) in pairwise(known)
        if after - before > 1
    )


def middle(steps: Steps, bucket: Bucket) -> float:
    return steps.place(bucket.window.since + bucket.window.length / 2)


def data_of(kind: Kind, steps: Steps, series: list[Series], axis: Axis) -> dict[str, Any]:
    """What the browser draws: seconds, values and every text that it shows."""
    edges = [int(b.window.since.timestamp()) for b in steps.buckets]
    return {
        "kind": "bars" if kind.is_bars else "lines",
        "edges": [*edges, int(steps.frame.until.timestamp())],
        "top": axis.top,
        "labels": axis.labels,
        "series": [
            {"label": s.label, "css": s.css, "values": s.values, "texts": s.texts} for s in series
        ],
    }


def runs_summary(figures: Figures) -> str:
    return ngettext(
        "%(num)s run, %(failed)s failed",
        "%(num)s runs, %(failed)s failed",
        figures.runs,
        failed=number(figures.failed),
    )
