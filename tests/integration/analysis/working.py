"""A worker that does analyses, over a database of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.process_pool import ProcessPool
from app.core.templating import Templates
from app.jobs import HANDLED
from app.jobs.context import Resources
from app.jobs.worker import Worker
from app.models import Job, JobStatus
from app.schemas.analyses import AnalysisReport, AnalysisRequest
from app.services.analyses import AnalysisService, report_in
from app.services.jobs import JobService
from tests.conftest import settings_for

SYSTEM = Actor.system(Via.JOB)


@asynccontextmanager
async def working(database: Database, pool: ProcessPool | None = None) -> AsyncIterator[Worker]:
    url = database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(url, worker_patience_s=0)
    resources = Resources(database, settings, Templates(), processes=pool or ProcessPool(1))
    worker = Worker(resources, HANDLED, ())
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await task


async def ask(database: Database, agent_id: int, actor: Actor = SYSTEM, **request: Any) -> int:
    async with database.unit_of_work() as session:
        asked = AnalysisRequest.model_validate(request)
        return (await AnalysisService(session, actor).start(agent_id, asked)).id


async def read(database: Database, job_id: int) -> Job:
    async with database.looking() as session:
        return await JobService(session, SYSTEM).get(job_id)


async def reached(database: Database, job_id: int, is_there: Callable[[Job], bool]) -> Job:
    for _ in range(3_000):
        if is_there(job := await read(database, job_id)):
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(f"The job is still {job.status}: {job.message}")


async def begun(database: Database, job_id: int) -> Job:
    return await reached(database, job_id, lambda job: job.status is not JobStatus.QUEUED)


async def ended(database: Database, job_id: int) -> Job:
    return await reached(database, job_id, lambda job: not job.is_open)


async def analysed(database: Database, agent_id: int, **request: Any) -> AnalysisReport:
    """The report of an analysis that a worker does now."""
    async with working(database):
        job = await ended(database, await ask(database, agent_id, **request))
    report = report_in(job)
    assert report is not None, job.error
    return report
