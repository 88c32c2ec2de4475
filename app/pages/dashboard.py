"""The dashboard: true figures over the runs of a chosen time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.wording import plural
from app.models import Execution
from app.pages.audit_view import AuditLine, describe
from app.pages.charts import nice_top, path_of, points, sparkline
from app.pages.deps import AuditEventServiceDep, requires, service
from app.pages.estimates import estimates_note
from app.pages.render import render
from app.schemas.executions import ExecutionQuery
from app.services.executions import ExecutionService
from app.services.statistics import Bucket, Figures, StatisticsService, Window

router = APIRouter(dependencies=[requires(Permission.BACK_OFFICE)])
StatisticsDep = Annotated[StatisticsService, Depends(service(StatisticsService))]
Range = Literal["24h", "7d", "30d", "all"]
LENGTHS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
LABELS = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", "all": "All runs"}
SHOWN_RUNS = 8
SHOWN_CHANGES = ("agents", "tools", "api_keys", "users")


def change_in(now: float | None, before: float | None) -> str:
    """``▲ 6 % on the time before``; nothing to compare is said, not drawn as zero."""
    if not before or now is None:
        return "no earlier runs to compare"
    percent = (now - before) / before * 100
    if abs(percent) < 0.5:
        return "as in the time before"
    return f"{'▲' if percent > 0 else '▼'} {abs(percent):,.0f} % on the time before"


def moment_label(moment: datetime, window: Window) -> str:
    short = window.until - window.since <= timedelta(days=2)
    return f"{moment:%H:%M}" if short else f"{moment:%b} {moment.day}"


def x_labels(buckets: list[Bucket], window: Window) -> list[str]:
    """The start, the middle and the end of the time axis."""
    if not buckets:
        return []
    places = (buckets[0], buckets[len(buckets) // 2], buckets[-1])
    return [moment_label(bucket.start, window) for bucket in places]


def latency_chart(buckets: list[Bucket]) -> dict[str, Any]:
    """p95 and p50 over time, scaled together in a 100 by 100 box."""
    series = {
        "p95": [bucket.figures.p95_ms for bucket in buckets],
        "p50": [bucket.figures.p50_ms for bucket in buckets],
    }
    known = [value / 1000 for values in series.values() for value in values if value is not None]
    top = nice_top(max(known, default=0.0))
    lines = [
        {"label": name, "kind": kind, "d": path_of(points(values, 100, 100, top * 1000))}
        for (name, values), kind in zip(series.items(), ("b", ""), strict=True)
    ]
    return {"lines": lines, "y_labels": y_labels(top, " s"), "known": bool(known)}


def y_labels(top: float, unit: str = "") -> list[str]:
    return [f"{top * step / 4:g}{unit}" for step in range(4, -1, -1)]


def runs_chart(buckets: list[Bucket], window: Window) -> dict[str, Any]:
    """Runs per bucket with the failed ones on top, in percent of the chart's height."""
    top = nice_top(max((bucket.figures.runs for bucket in buckets), default=0))
    series = [
        {
            "label": moment_label(bucket.start, window),
            "height_percent": round((bucket.figures.runs - bucket.figures.failed) / top * 100, 2),
            "bad_percent": round(bucket.figures.failed / top * 100, 2),
            "title": f"{bucket.start:%Y-%m-%d %H:%M}: {plural(bucket.figures.runs, 'run')}, "
            f"{bucket.figures.failed} failed",
        }
        for bucket in buckets
    ]
    return {"series": series, "y_labels": [f"{top:g}", f"{top / 2:g}", "0"]}


def sparks(buckets: list[Bucket]) -> dict[str, Any]:
    def of(label: str, values: list[float | None]) -> Any:  # a Sparkline
        return sparkline(values, label)

    figures = [bucket.figures for bucket in buckets]
    return {
        "runs": of("Executions over time", [float(f.runs) for f in figures]),
        "failed": of("Share of failed runs over time", [f.failure_rate for f in figures]),
        "cost": of("Cost over time", [None if f.cost is None else float(f.cost) for f in figures]),
        "p95": of("p95 latency over time", [f.p95_ms for f in figures]),
    }


async def window_of(chosen: Range, statistics: StatisticsService) -> Window:
    if chosen == "all":
        extent = await statistics.extent()
        if extent is not None:
            return extent
    now = datetime.now(UTC)
    return Window(now - LENGTHS.get(chosen, LENGTHS["24h"]), now)


@router.get("/")
async def show_dashboard(
    request: Request,
    statistics: StatisticsDep,
    audit: AuditEventServiceDep,
    chosen: Annotated[Range, Query(alias="range")] = "24h",
) -> Response:
    window = await window_of(chosen, statistics)
    figures = await statistics.figures(window)
    before = await statistics.figures(window.before) if chosen != "all" else None
    buckets = await statistics.buckets(window)
    context = {
        "chosen": chosen,
        "ranges": [("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"), ("all", "All")],
        "label": LABELS[chosen],
        "window": window,
        "figures": figures,
        "estimates_note": await estimates_note(statistics, window),
        "runs_note": note_on(figures, before),
        "buckets": buckets,
        "sparks": sparks(buckets),
        "latency": latency_chart(buckets),
        "runs_chart": runs_chart(buckets, window),
        "x_labels": x_labels(buckets, window),
        "agents": await statistics.by_agent(window, 8),
        "extent": await statistics.extent() if not figures.runs else None,
        "changes": await recent_changes(audit),
        "latest": await latest_runs(statistics),
    }
    return render(request, "pages/dashboard/detail.html", context)


@router.get("/latest-runs")
async def show_latest_runs(request: Request, statistics: StatisticsDep) -> Response:
    context = {"latest": await latest_runs(statistics)}
    return render(request, "pages/dashboard/_latest_runs.html", context)


@router.get("/latest-changes")
async def show_latest_changes(request: Request, audit: AuditEventServiceDep) -> Response:
    context = {"changes": await recent_changes(audit)}
    return render(request, "pages/dashboard/_latest_changes.html", context)


async def latest_runs(statistics: StatisticsService) -> Sequence[Execution]:
    runs = ExecutionService(statistics.session, statistics.actor)
    return (await runs.list_runs(ExecutionQuery(limit=SHOWN_RUNS))).items


def note_on(figures: Figures, before: Figures | None) -> str:
    return "since the first run" if before is None else change_in(figures.runs, before.runs)


async def recent_changes(audit: AuditEventServiceDep) -> list[AuditLine]:
    events = await audit.latest(8, SHOWN_CHANGES)
    names = await audit.actor_names(events)
    return [describe(event, names) for event in events]
