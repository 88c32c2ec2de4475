"""Background work inside a test: what waits is done at once, with the worker's own runner."""

from contextlib import suppress

from fastapi import FastAPI
from pgqueuer.domain.errors import RetryRequested
from sqlalchemy import select

from app.jobs import HANDLED
from app.jobs.context import Resources
from app.jobs.worker import JobRunner
from app.models import Job
from app.models.jobs import OPEN_JOBS

MOST_TRIES = 20


async def work_off(app: FastAPI, rounds: int = MOST_TRIES) -> None:
    """Try every open job once a round, until none is left: pauses are not waited for."""
    state = app.state
    resources = Resources(
        state.database,
        state.settings,
        state.templates,
        meters=state.observers.meters,
        watchers=state.observers.watchers,
    )
    runner = JobRunner(resources, HANDLED)
    for _ in range(rounds):
        async with state.database.looking() as session:
            waiting = list(await session.scalars(select(Job.id).where(Job.status.in_(OPEN_JOBS))))
        for job_id in waiting:
            with suppress(RetryRequested):
                await runner.run(job_id)
        if not waiting:
            return
