"""The dashboard: true figures over the runs of a chosen time."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.pages.audit_view import AuditLine, describe
from app.pages.charts import nice_top, path_of, points, sparkline
from app.pages.deps import AuditEventServiceDep, requires, service
from app.pages.render import render
from app.services.statistics import Bucket, Figures, StatisticsService, Window

router = APIRouter(dependencies=[requires(Permission.BACK_OFFICE)])
StatisticsDep = Annotated[StatisticsService, Depends(service(StatisticsService))]
Range = Literal["24h", "7d", "30d", "all"]
LENGTHS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
LABELS = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", "all": "All runs"}
CHART_WIDTH, CHART_HEIGHT = 720.0, 180.0
SHOWN_CHANGES = ("agents", "tools", "api_keys", "users")


def change_in(now: float | None, before: float | None) -> str:
    """``▲ 6 % on the time before``; nothing to compare is said, not drawn as zero."""
    if not before or now is None:
        return "no earlier runs to compare"
    percent = (now - before) / before * 100
    if abs(percent) < 0.5:
        return "as in the time before"
    return f"{'▲' if percent > 0 else '▼'} {abs(percent):,.0f} % on the time before"


def latency_chart(buckets: list[Bucket]) -> dict[str, Any]:
    """p95 and p50 in seconds over time, scaled together."""
    series = {
        name: [None if v is None else v / 1000 for v in values]
        for name, values in (
            ("p95", [bucket.figures.p95_ms for bucket in buckets]),
            ("p50", [bucket.figures.p50_ms for bucket in buckets]),
        )
    }
    known = [value for values in series.values() for value in values if value is not None]
    top = nice_top(max(known, default=0.0))
    return {
        "lines": [
            {
                "name": name,
                "path": path_of(points(values, CHART_WIDTH, CHART_HEIGHT, top)),
                "dots": [p for p in points(values, CHART_WIDTH, CHART_HEIGHT, top) if p],
            }
            for name, values in series.items()
        ],
        "ticks": [(CHART_HEIGHT * (1 - i / 4), f"{top * i / 4:g} s") for i in range(5)],
        "known": bool(known),
    }


def bars(buckets: list[Bucket]) -> list[dict[str, Any]]:
    """Runs per bucket with the failed ones on top, as rectangles in the chart's box."""
    top = max((bucket.figures.runs for bucket in buckets), default=0) or 1
    step = CHART_WIDTH / max(1, len(buckets))
    drawn = []
    for i, bucket in enumerate(buckets):
        good = bucket.figures.runs - bucket.figures.failed
        drawn.append(
            {
                "x": round(i * step + 1, 1),
                "width": round(step - 2, 1),
                "good": round(good / top * CHART_HEIGHT, 1),
                "bad": round(bucket.figures.failed / top * CHART_HEIGHT, 1),
                "bucket": bucket,
            }
        )
    return drawn


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
        "runs_note": note_on(figures, before),
        "buckets": buckets,
        "sparks": sparks(buckets),
        "latency": latency_chart(buckets),
        "bars": bars(buckets),
        "agents": await statistics.by_agent(window, 8),
        "extent": await statistics.extent() if not figures.runs else None,
        "changes": await recent_changes(audit),
    }
    return render(request, "pages/dashboard/detail.html", context)


def note_on(figures: Figures, before: Figures | None) -> str:
    return "since the first run" if before is None else change_in(figures.runs, before.runs)


async def recent_changes(audit: AuditEventServiceDep) -> list[AuditLine]:
    events = await audit.latest(8, SHOWN_CHANGES)
    names = await audit.actor_names(events)
    return [describe(event, names) for event in events]
