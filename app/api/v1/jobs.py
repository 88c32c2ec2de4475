"""Background jobs over JSON: watch, cancel, try again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from app.api.answers import JobAnswerDep
from app.api.deps import requires, service
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGED, LIST_ERRORS, READ_ERRORS
from app.core.permissions import Permission
from app.models import Job
from app.schemas.base import MAX_BIGINT, CursorPage
from app.schemas.jobs import JobQuery, JobRead, JobSummary
from app.services.jobs import JobService

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=StrictRoute)
JobId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
JobServiceDep = Annotated[JobService, Depends(service(JobService))]

READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]


@router.get("", response_model=CursorPage[JobSummary], dependencies=READ, responses=LIST_ERRORS)
async def list_jobs(query: Annotated[JobQuery, Query()], jobs: JobServiceDep) -> Any:
    """Newest first. Pass `next_cursor` as `cursor` for the following ones."""
    found = await jobs.list_jobs(query)
    return {"items": found.items, "next_cursor": found.next_cursor}


@router.get("/{job_id}", response_model=JobRead, dependencies=READ, responses=READ_ERRORS)
async def get_job(job_id: JobId, jobs: JobServiceDep) -> Job:
    """One job: how far it is, and what came of it."""
    return await jobs.get(job_id)


@router.post("/{job_id}/cancel", response_model=JobRead, dependencies=WRITE, responses=CHANGED)
async def cancel_job(job_id: JobId, jobs: JobServiceDep, answer: JobAnswerDep) -> Any:
    """Stop a job: at once where it waits, within a moment where it runs; 409 where it has ended."""
    return answer(await jobs.cancel(job_id))


@router.post("/{job_id}/retry", response_model=JobRead, dependencies=WRITE, responses=CHANGED)
async def retry_job(job_id: JobId, jobs: JobServiceDep, answer: JobAnswerDep) -> Any:
    """Try a failed or cancelled job again; 409 for any other."""
    return answer(await jobs.retry(job_id))
