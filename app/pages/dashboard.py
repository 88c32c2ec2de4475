"""The dashboard: true figures over the runs of a chosen time."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.core.zones import shown_zone
from app.models import Execution, Job, JobStatus
from app.pages import listing
from app.pages.attention_view import attention_lines
from app.pages.audit_view import AuditLine, describe
from app.pages.deps import (
    AuditEventServiceDep,
    ExecutionServiceDep,
    JobServiceDep,
    StatisticsServiceDep,
    requires,
)
from app.pages.figures_view import figures_context, runs_href
from app.pages.render import render, wants_fragment
from app.pages.time_ranges import field_value, range_links, range_of
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionQuery
from app.schemas.jobs import JobQuery
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.jobs import JobService
from app.services.statistics import AgentFigures, Figures, Most, StatisticsService
from app.services.time_windows import Window

router = APIRouter(dependencies=[requires(Permission.BACK_OFFICE)])
SHOWN, SHOWN_JOBS = 8, 5
# Of the agents with the most failed runs so many may be those that fail most often.
LOOKED_AT = 100


def agent_of(request: Request) -> int | None:
    """The agent in the URL; what is no id shows all."""
    text = request.query_params.get("agent_id", "")
    is_id = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_id and 0 < int(text) <= MAX_BIGINT else None


@router.get("/")
async def show_dashboard(
    request: Request,
    statistics: StatisticsServiceDep,
    audit: AuditEventServiceDep,
    runs: ExecutionServiceDep,
    jobs: JobServiceDep,
) -> Response:
    context = await charts_context(request, statistics)
    if wants_fragment(request):
        return render(request, "pages/dashboard/_figures.html", context)
    context |= {
        "changes": await recent_changes(audit),
        "latest": await latest_runs(runs),
        "jobs": await running_jobs(jobs),
        "agents": await AgentService(runs.session, runs.actor).names(),
    }
    return render(request, "pages/dashboard/detail.html", context)


async def charts_context(request: Request, statistics: StatisticsService) -> dict[str, Any]:
    chosen, agent_id = range_of(request), agent_of(request)
    context = await figures_context(statistics, chosen, agent_id)
    window: Window | None = context["window"]
    with_runs = window if context["figures"] else None
    failing = await failing_agents(statistics, with_runs, agent_id, context["figures"])
    return context | {
        "chosen": chosen,
        "agent_id": agent_id,
        "ranges": range_links(request),
        "here": listing.here(request),
        "zone": shown_zone().key,
        "fields": (field_value(window.since), field_value(window.until)) if window else ("", ""),
        **await leaders(statistics, with_runs, agent_id),
        "failing": failing[:SHOWN],
        "attention": await attention_lines(statistics, window, agent_id, failing),
    }


async def failing_agents(
    statistics: StatisticsService,
    window: Window | None,
    agent_id: int | None,
    figures: Figures | None,
) -> list[AgentFigures]:
    """Those with the most failed runs; one that is looked at alone, with its figures."""
    if window is None or figures is None:
        return []
    if agent_id is not None:
        return [AgentFigures(agent_id, _("This agent"), figures)]
    found = await statistics.by_agent(window, LOOKED_AT, Most.FAILED)
    return [row for row in found if row.figures.failed]


async def leaders(
    statistics: StatisticsService, window: Window | None, agent_id: int | None
) -> dict[str, Any]:
    """The agents and models that stand out; of one agent, its models alone."""
    if window is None:
        return {"busiest": [], "models": []}
    alone = agent_id is not None

    def failed_href(of_agent: int) -> str:
        return runs_href(window, agent_id=of_agent, status="failed")

    def model_href(name: str) -> str:
        return runs_href(window, agent_id=agent_id, model_name=name)

    return {
        "busiest": [] if alone else await statistics.by_agent(window, SHOWN),
        "models": await statistics.by_model(window, SHOWN, agent_id),
        "failed_href": failed_href,
        "model_href": model_href,
    }


@router.get("/latest-runs")
async def show_latest_runs(request: Request, runs: ExecutionServiceDep) -> Response:
    context = {"latest": await latest_runs(runs)}
    return render(request, "pages/dashboard/_latest_runs.html", context)


@router.get("/latest-changes")
async def show_latest_changes(request: Request, audit: AuditEventServiceDep) -> Response:
    context = {"changes": await recent_changes(audit)}
    return render(request, "pages/dashboard/_latest_changes.html", context)


@router.get("/running-jobs", dependencies=[requires(Permission.JOBS_READ)])
async def show_running_jobs(request: Request, jobs: JobServiceDep) -> Response:
    context = {"jobs": await running_jobs(jobs)}
    return render(request, "pages/dashboard/_running_jobs.html", context)


async def latest_runs(runs: ExecutionService) -> Sequence[Execution]:
    return (await runs.list_runs(ExecutionQuery(limit=SHOWN))).items


async def running_jobs(jobs: JobService) -> Sequence[Job] | None:
    """``None`` for who may not see jobs."""
    if not jobs.actor.may(Permission.JOBS_READ):
        return None
    return (await jobs.list_jobs(JobQuery(status=JobStatus.RUNNING, limit=SHOWN_JOBS))).items


async def recent_changes(audit: AuditEventServiceDep) -> list[AuditLine]:
    events = await audit.latest(SHOWN)
    names = await audit.actor_names(events)
    return [describe(event, names) for event in events]
