"""Figures of runs over a chosen time, as the dashboard and the page of an agent show them."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from app.core.templating import duration, money
from app.core.texts import _, ngettext
from app.core.wording import number
from app.core.zones import shown_zone
from app.pages.charts import Sparkline, sparkline
from app.pages.estimates import estimates_note
from app.pages.listing import href
from app.pages.plots import (
    COST,
    FAILURES,
    LATENCY,
    RUNS,
    Plot,
    Steps,
    percent,
    plot_of,
    runs_summary,
)
from app.pages.time_ranges import ChosenTime
from app.services.statistics import NOTHING, Bucket, Figures, StatisticsService
from app.services.time_windows import DAY, HOUR, Window


@dataclass(frozen=True, slots=True)
class Kpi:
    label: str
    value: str
    change: str
    note: str
    spark: Sparkline | None
    is_bad: bool = False


def change_in(now: float | None, before: float | None, words: str | None) -> str:
    """``+6 % vs the 24 h before``; nothing to compare is said, not drawn as zero."""
    if words is None:
        return ""
    if not before or now is None:
        return _("nothing in the %(words)s before", words=words)
    percent = (now - before) / before * 100
    if abs(percent) < 0.5:
        return _("as in the %(words)s before", words=words)
    return _("%(signed)s %% vs the %(words)s before", signed=signed(percent), words=words)


def change_in_points(now: float | None, before: float | None, words: str | None) -> str:
    """Shares differ by points: twice 1 % is not 100 % worse."""
    if words is None:
        return ""
    if before is None or now is None:
        return _("nothing in the %(words)s before", words=words)
    points = (now - before) * 100
    if abs(points) < 0.05:
        return _("as in the %(words)s before", words=words)
    sign = "+" if points > 0 else "−"
    return _(
        "%(sign)s%(points).1f points vs the %(words)s before",
        sign=sign,
        points=abs(points),
        words=words,
    )


def signed(percent: float) -> str:
    size = f"{abs(percent):,.0f}" if abs(percent) < 10_000 else "over 10,000"
    return f"{'+' if percent > 0 else '−'}{size}"


def optional(value: Any) -> float | None:  # a Decimal or None
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures of a time, those of its steps, and those of the time before if it has one."""

    figures: Figures
    steps: list[Figures]
    before: Figures
    words: str | None  # the length of the time, as in "vs the 24 h before"
    is_estimated: bool = False


def kpis(of: Compared) -> list[Kpi]:
    return [runs_kpi(of), failed_kpi(of), cost_kpi(of), latency_kpi(of)]


def runs_kpi(of: Compared) -> Kpi:
    change = change_in(of.figures.runs, of.before.runs, of.words)
    spark = sparkline([float(step.runs) for step in of.steps], _("Executions over time"))
    return Kpi(_("Executions"), number(of.figures.runs), change, "", spark)


def failed_kpi(of: Compared) -> Kpi:
    rate = of.figures.failure_rate
    return Kpi(
        _("Failed"),
        "–" if rate is None else percent(rate),
        change_in_points(rate, of.before.failure_rate, of.words),
        ngettext(
            "%(failed)s of %(num)s run",
            "%(failed)s of %(num)s runs",
            of.figures.runs,
            failed=number(of.figures.failed),
        ),
        sparkline([step.failure_rate for step in of.steps], _("Share of failed runs over time")),
        is_bad=True,
    )


def cost_kpi(of: Compared) -> Kpi:
    cost, unpriced = of.figures.cost, of.figures.unpriced
    spark = sparkline([optional(step.cost) for step in of.steps], _("Cost over time"))
    return Kpi(
        _("Cost"),
        money(cost),
        change_in(optional(cost), optional(of.before.cost), of.words),
        ngettext("%(num)s run has no known cost", "%(num)s runs have no known cost", unpriced)
        if unpriced
        else _("every run has a cost"),
        None if cost is None else spark,
    )


def latency_kpi(of: Compared) -> Kpi:
    figures = of.figures
    return Kpi(
        _("p95 latency, estimated") if of.is_estimated else "p95 latency",
        duration(figures.p95_ms),
        change_in(figures.p95_ms, of.before.p95_ms, of.words),
        f"p50 {duration(figures.p50_ms)}, p99 {duration(figures.p99_ms)}",
        sparkline([step.p95_ms for step in of.steps], _("p95 latency over time")),
    )


def runs_href(window: Window, **filters: Any) -> str:  # as the list of runs takes them
    """The runs of this time, in the list."""
    span = {"since": written(window.since), "until": written(window.until)}
    return href("/executions", filters | span)


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plots(
    figures: Figures, buckets: list[Bucket], window: Window, agent_id: int | None
) -> list[Plot]:
    steps = Steps(buckets, window, shown_zone(), lambda step: runs_href(step, agent_id=agent_id))
    share = figures.failure_rate or 0.0
    return [
        plot_of(RUNS, steps, runs_summary(figures)),
        plot_of(LATENCY, steps, f"p50 {duration(figures.p50_ms)}, p95 {duration(figures.p95_ms)}"),
        plot_of(
            FAILURES,
            steps,
            ngettext(
                "%(share).1f %% of %(num)s run failed",
                "%(share).1f %% of %(num)s runs failed",
                figures.runs,
                share=share * 100,
            ),
        ),
        plot_of(COST, steps, _("%(cost)s in all", cost=money(figures.cost))),
    ]


async def week_of(statistics: StatisticsService, agent_id: int) -> list[Plot]:
    """Runs and latency of an agent's last seven days; nothing where it did not run."""
    now = datetime.now(UTC)
    window = Window(now - 7 * DAY, now)
    figures = await statistics.figures(window, agent_id)
    if not figures.runs:
        return []
    buckets = await statistics.buckets(window, agent_id, shown_zone())
    return plots(figures, buckets, window, agent_id)[:2]


def zone_note(buckets: list[Bucket], zone: tzinfo) -> str | None:
    """Said where steps of hours or days cannot begin on the wall's own."""
    window = buckets[0].window
    if len(buckets) < 2 or window.length < HOUR:
        return None
    minute = buckets[1].window.since.astimezone(zone).minute
    if not minute:
        return None
    starts = f"{buckets[1].window.since.astimezone(zone):%H:%M}"
    what = (
        _("days begin at %(starts)s", starts=starts)
        if window.length > 12 * HOUR
        else _("steps begin at :%(minute)02d", minute=minute)
    )
    return _("Sums are kept by hours of UTC, so %(what)s in your time zone here.", what=what)


async def figures_context(
    statistics: StatisticsService, chosen: ChosenTime, agent_id: int | None
) -> dict[str, Any]:
    """Figures, comparison and charts; the last two only where there are runs."""
    window = chosen.window or await statistics.extent(agent_id)
    if window is None:
        return {"figures": None, "extent": None, "window": None, "estimates_note": None}
    figures = await statistics.figures(window, agent_id)
    context = {
        "figures": figures,
        "window": window,
        "estimates_note": await estimates_note(statistics, window, agent_id),
        "extent": None if figures.runs else await statistics.first_and_last(agent_id),
    }
    if not figures.runs:
        return context
    before = await statistics.figures(window.before, agent_id) if chosen.window else NOTHING
    buckets = await statistics.buckets(window, agent_id, shown_zone())
    estimated = context["estimates_note"] is not None
    steps = [bucket.figures for bucket in buckets]
    return context | {
        "kpis": kpis(Compared(figures, steps, before, chosen.length_words, estimated)),
        "plots": plots(figures, buckets, window, agent_id),
        "zone_note": zone_note(buckets, shown_zone()),
    }
