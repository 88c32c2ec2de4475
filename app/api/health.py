"""Whether the process lives, and whether it can serve."""

from typing import Any

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.database_errors import as_app_error
from app.core.migrations import is_new_enough
from app.core.rate_limits import RateLimits
from app.core.stopping import Stopping
from app.services.jobs import JobService

router = APIRouter(tags=["health"])
LONG_WAIT_S = 120
log = structlog.get_logger("greenroom.health")


class Liveness(BaseModel):
    status: str


class Readiness(Liveness):
    """``status`` is `ok` or `not ready`; ``checks`` says of each part why."""

    checks: dict[str, str]


NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Not ready; `checks` says why."}
}


async def said_of_jobs(database: Database) -> dict[str, str]:
    """Requests are served all the same, so this makes nothing unready."""
    async with database.looking() as session:
        waited_s = await JobService(session, Actor.system(Via.API)).longest_wait_s()
    if waited_s < LONG_WAIT_S:
        return {"jobs": "ok"}
    return {"jobs": f"the oldest one has waited for {waited_s:.0f} seconds; is a worker running?"}


@router.get("/health/live")
async def live() -> Liveness:
    """The process answers."""
    return Liveness(status="ok")


@router.get("/health", response_model=Readiness, responses=NOT_READY, operation_id="health")
@router.get("/health/ready", response_model=Readiness, responses=NOT_READY)
async def ready(request: Request) -> JSONResponse:
    """The database answers and is migrated to this version; `jobs` says when they wait long."""
    checks = {"database": "ok", "migrations": "ok"}
    database: Database = request.app.state.database
    try:
        if not await is_new_enough(database.engine):
            checks["migrations"] = "not at head: run the migrate command"
        else:
            checks |= await said_of_jobs(database)
    except Exception as error:  # any failure to ask means: not ready
        known = as_app_error(error)
        checks = {"database": known.message if known else "not checked; the log says why"}
        if known is None:
            log.exception("readiness cannot be checked")
    healthy = {checks["database"], checks.get("migrations", "ok")} == {"ok"}
    stopping: Stopping = request.app.state.stopping
    if stopping.has_begun:
        healthy, checks["process"] = False, "is stopping: ask another one"
    limits: RateLimits = request.app.state.rate_limits
    if limits.is_degraded:
        # Still ready: every process counts by itself until Redis is back.
        checks["redis"] = "does not answer; each process counts by itself"
    body: dict[str, Any] = {"status": "ok" if healthy else "not ready", "checks": checks}
    return JSONResponse(body, status_code=200 if healthy else 503)
