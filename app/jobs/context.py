"""What a handler works with: its parameters, and steps that no other try can spoil."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.providers import ModelProvider
from app.core.templating import Templates
from app.services.job_attempts import Attempt, JobAttemptService, actor_of_job
from app.services.running.runner import Running

SYSTEM = Actor.system(Via.JOB)
PROGRESS_EVERY_S = 0.3


@dataclass(frozen=True)
class Resources:
    """What the worker's process has once, for all jobs."""

    database: Database
    settings: Settings
    templates: Templates
    # Of the web server that the worker is part of: its limits are those of the process.
    web_running: Running | None = None

    @cached_property
    def running(self) -> Running:
        provider = ModelProvider(self.settings)
        return self.web_running or Running.over(self.database, self.settings, provider)

    async def close(self) -> None:
        await self.running.provider.aclose()


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a job: its session, and for whom it acts."""

    session: AsyncSession
    actor: Actor


@dataclass(slots=True)
class JobContext:
    """Of one attempt at one job."""

    attempt: Attempt
    resources: Resources
    _noted_at: float = field(default=0.0)
    is_done: bool = field(default=False)

    @asynccontextmanager
    async def step(
        self, progress: int | None = None, message: str | None = None
    ) -> AsyncIterator[Step]:
        """A transaction that commits only while this attempt holds the job.

        An effect made in a step is made once, however often the job is tried, if the step also
        looks whether it was made. Raise ``Superseded`` and ``CancelRequested``.
        """
        async with self.resources.database.unit_of_work() as session:
            attempts = JobAttemptService(session, SYSTEM)
            job = await attempts.held(self.attempt)
            if progress is not None:
                await attempts.note_progress(job, progress, message)
            yield Step(session, await actor_of_job(session, job))

    async def progress(self, percent: int, message: str | None = None) -> None:
        """Show how far it is, a few times a second at the most.

        Raise ``Superseded`` and ``CancelRequested``.
        """
        now = time.monotonic()
        if now - self._noted_at < PROGRESS_EVERY_S:
            return
        self._noted_at = now
        async with self.step(percent, message):
            pass

    @asynccontextmanager
    async def last_step(self, result: object = None) -> AsyncIterator[Step]:
        """The step whose effect and the job's success are one: both are committed, or neither."""
        async with self.resources.database.unit_of_work() as session:
            attempts = JobAttemptService(session, SYSTEM)
            job = await attempts.held(self.attempt)
            yield Step(session, await actor_of_job(session, job))
            await attempts.succeed(job, result)
        self.is_done = True


Handler = Callable[[JobContext], Awaitable[object]]
