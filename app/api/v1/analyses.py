"""Analyses of an agent's runs over JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from app.api.deps import asking, requires
from app.api.idempotency import OnceDep
from app.api.openapi import accepted
from app.api.streams import live_runs_of
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, READ_ERRORS
from app.core.permissions import Permission
from app.schemas.analyses import AnalysisRead, AnalysisRequest
from app.schemas.base import MAX_BIGINT
from app.schemas.jobs import JobRead
from app.services.analyses import AnalysisService, report_in, request_of

router = APIRouter(prefix="/agents", tags=["analyses"], route_class=StrictRoute)
AgentId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The agent's id.")]
JobId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The id of the analysis' job.")]

READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]


async def get_analyses(request: Request) -> AnalysisService:
    provider = live_runs_of(request).running.provider
    return AnalysisService(*asking(request), provider)


AnalysisServiceDep = Annotated[AnalysisService, Depends(get_analyses)]


@router.post(
    "/{agent_id}/analyze",
    status_code=202,
    response_model=JobRead,
    dependencies=WRITE,
    responses={**accepted(JobRead), **CHANGE_ERRORS},
)
async def analyze_agent(
    agent_id: AgentId,
    data: AnalysisRequest,
    analyses: AnalysisServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> JobRead:
    """Look through the agent's newest runs in the background; 409 while that is being done.

    Watch the job under `Location`; its result is the report. With `summary`, a model of the
    connected provider sums the findings up; that needs `agents:run` too.
    """
    job = await analyses.start(agent_id, data)
    prefix = request.app.state.settings.api_v1_prefix
    response.headers["Location"] = f"{prefix}/jobs/{job.id}"
    return await once.keep(JobRead.model_validate(job), response, 202)


@router.get(
    "/{agent_id}/analyses/{job_id}",
    response_model=AnalysisRead,
    dependencies=READ,
    responses=READ_ERRORS,
)
async def get_analysis(agent_id: AgentId, job_id: JobId, analyses: AnalysisServiceDep) -> Any:
    """What was asked for, how far it is and, once it has succeeded, the report."""
    _, job = await analyses.get(agent_id, job_id)
    return {"job": job, "request": request_of(job.params), "report": report_in(job)}
