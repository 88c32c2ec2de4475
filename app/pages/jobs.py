"""Background jobs on pages: what is being done, what failed, and why."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import JobKind, JobStatus
from app.pages import exports, listing
from app.pages.deps import JobServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.schemas.jobs import JobPageQuery
from app.services import export_sources

router = APIRouter(prefix="/jobs")
JobId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]
PAGE_SIZE = 50
KINDS = [(kind.value, lazy(kind.value.replace("_", " ").capitalize())) for kind in JobKind]
STATUSES = [(status.value, lazy(status.value.capitalize())) for status in JobStatus]


@router.get("", dependencies=READ)
async def list_jobs(request: Request, jobs: JobServiceDep) -> Response:
    query = listing.query_of(request, JobPageQuery)
    query.limit = PAGE_SIZE
    rows = await jobs.list_jobs(query, deliveries=not query.hides_deliveries)
    context = {
        "query": query,
        "jobs": rows.items,
        "links": listing.pager_links(request, rows),
        "here": listing.here(request),
        "kinds": KINDS,
        "statuses": STATUSES,
        "schedules": await jobs.schedules(),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/jobs/{name}", context)


@router.get("/export", dependencies=READ)
async def export_jobs(
    request: Request, jobs: JobServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query = exports.query_of(request, JobPageQuery)
    export = export_sources.jobs(jobs.actor, query)
    return await exports.answer(request, jobs.actor, export, form)


@router.get("/{job_id}", dependencies=READ)
async def show_job(request: Request, job_id: JobId, jobs: JobServiceDep) -> Response:
    context = {
        "job": await jobs.get(job_id),
        "may_write": jobs.actor.may(Permission.JOBS_WRITE),
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
