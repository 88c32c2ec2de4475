"""Runs in the background. One that began is never begun again: what it did may have had effects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.exceptions import Conflict
from app.jobs.context import SYSTEM, JobContext, Resources
from app.models.executions import ExecutionStatus
from app.services.executions import ExecutionService
from app.services.job_attempts import JobAttemptService
from app.services.running.asking import INTERRUPTED, LostRunService
from app.services.running.events import nobody_watches
from app.services.running.records import CANCELLED, AlreadyBegun, End, RunOver
from app.services.running.runner import Runner, Transaction


def transactions_of(resources: Resources, actor: Actor) -> Transaction:
    @asynccontextmanager
    async def transaction() -> AsyncIterator[tuple[AsyncSession, Actor]]:
        async with resources.database.unit_of_work() as session:
            yield session, actor

    return transaction


def runs_at_once(settings: Settings) -> int:
    """Of one worker: more would only wait for their turn at the provider, and fail of waiting."""
    return min(settings.worker_concurrency, settings.provider_concurrency)


async def run_agent(context: JobContext) -> object:
    """The job has done its work when the run has ended, however that was.

    Raise ``Conflict`` when the run was interrupted, by this worker's predecessor or before.
    """
    execution_id = int(context.attempt.params["execution_id"])
    async with context.step() as step:
        actor = step.actor
    runner = Runner(
        context.resources.running, transactions_of(context.resources, actor), nobody_watches
    )
    try:
        await runner.run(execution_id)
    except (RunOver, AlreadyBegun):
        await end_interrupted(context.resources, execution_id)
    except asyncio.CancelledError:
        end = await end_of(context)
        # Whoever cancels may do so again meanwhile.
        await asyncio.shield(asyncio.ensure_future(runner.interrupt(end)))
        raise
    return {"execution_id": execution_id, "status": await status_of(context, execution_id)}


async def end_interrupted(resources: Resources, execution_id: int) -> None:
    async with resources.database.unit_of_work() as session:
        await LostRunService(session, SYSTEM).end_begun(execution_id)


async def end_of(context: JobContext) -> End:
    """Whether somebody cancelled the job, or the worker has to stop."""
    job_id = context.attempt.job_id
    async with context.resources.database.looking() as session:
        asked = await JobAttemptService(session, SYSTEM).asked_to_stop({job_id})
    return CANCELLED if job_id in asked else INTERRUPTED


async def status_of(context: JobContext, execution_id: int) -> str | None:
    async with context.resources.database.looking() as session:
        execution = await ExecutionService(session, SYSTEM).find(execution_id)
    if execution is not None and execution.status is ExecutionStatus.STALLED:
        raise Conflict(INTERRUPTED.error or "")
    return None if execution is None else execution.status.value


async def end_lost_runs(resources: Resources) -> None:
    async with resources.database.unit_of_work() as session:
        await LostRunService(session, SYSTEM).end_lost()
