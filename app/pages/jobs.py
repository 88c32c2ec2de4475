"""Background jobs on pages: what is being done, what failed, and why."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.models import BulkResource, ListName
from app.pages import exports
from app.pages.bulk_view import selection_of
from app.pages.deps import JobServiceDep, requires
from app.pages.job_list import COLUMNS, job_filters
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.bulk_changes import FINAL
from app.schemas.exports import ExportFormat
from app.schemas.jobs import JobPageQuery
from app.services import export_sources

router = APIRouter(prefix="/jobs")
JobId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]
PAGE_SIZE = 50


@router.get("", dependencies=READ)
async def list_jobs(
    request: Request,
    jobs: JobServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    state, views = await opened(request, jobs, ListName.JOBS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(JobPageQuery, cursor=cursor, limit=PAGE_SIZE)
    rows = await jobs.list_jobs(query, state.sort or None)
    offered = Offered(COLUMNS, await job_filters(jobs))
    context = {
        "jobs": rows.items,
        "schedules": await jobs.schedules(),
        "selection": selection_of(jobs.actor, BulkResource.JOBS),
        **framed(request, (state, views), rows, query, offered),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/jobs/{name}", context)


@router.get("/export", dependencies=READ)
async def export_jobs(
    request: Request, jobs: JobServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query, order = exports.listed(request, ListName.JOBS, JobPageQuery)
    export = export_sources.jobs(jobs.actor, query, order)
    return await exports.answer(request, jobs.actor, export, form)


@router.get("/{job_id}", dependencies=READ)
async def show_job(request: Request, job_id: JobId, jobs: JobServiceDep) -> Response:
    job, may_write = await jobs.get(job_id), jobs.actor.may(Permission.JOBS_WRITE)
    is_final = job.params.get("action") in FINAL
    context = {
        "job": job,
        "may_write": may_write,
        "may_undo": may_write and not is_final,
        "is_own": job.user_id == jobs.actor.user_id,
    }
    name = "_state.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/jobs/{name}", context)


@router.post("/{job_id}/cancel", dependencies=WRITE)
async def cancel_job(request: Request, job_id: JobId, jobs: JobServiceDep) -> Response:
    await jobs.cancel(job_id)
    return redirect(request, f"/jobs/{job_id}", "cancelling")


@router.post("/{job_id}/retry", dependencies=WRITE)
async def retry_job(request: Request, job_id: JobId, jobs: JobServiceDep) -> Response:
    await jobs.retry(job_id)
    return redirect(request, f"/jobs/{job_id}", "queued")
