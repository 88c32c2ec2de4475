"""Jobs, asked for as services ask for them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Job, JobKind
from app.services.jobs import JobService


async def make_job(
    session: AsyncSession, actor: Actor, kind: JobKind = JobKind.ANALYZE_AGENT, **values: Any
) -> Job:
    """A queued job; ``values`` are columns as a worker would have left them."""
    job = await JobService(session, actor).enqueue(kind, values.pop("params", {"limit": 10}))
    for name, value in values.items():
        setattr(job, name, value)
    await session.flush()  # as committed by the worker
    return job
