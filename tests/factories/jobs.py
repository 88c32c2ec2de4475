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
    params, agent_id = values.pop("params", {"limit": 10}), values.pop("agent_id", None)
    job = await JobService(session, actor).enqueue(kind, params, agent_id=agent_id)
    for name, value in values.items():
        setattr(job, name, value)
    await session.flush()  # as committed by the worker
    return job
