"""What a handler works with: its parameters, and steps that no other try can spoil."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.database_errors import as_app_error
from app.core.meters import SILENT, Meters
from app.core.process_pool import ProcessPool
from app.core.providers import ModelProvider
from app.core.templating import Templates
from app.core.watchers import Watcher
from app.exceptions import AppError
from app.services.job_attempts import Attempt, AttemptEnded, JobAttemptService, actor_of_job
from app.services.job_queue import box_of_jobs
from app.services.running.runner import Running

SYSTEM = Actor.system(Via.JOB)
PROGRESS_EVERY_S = 0.3
UNEXPECTED = "Something unexpected went wrong. The server's log has it under this job's number."


class TryAgain(AppError):
    """It did not work this time; the next try comes after ``wait`` at the earliest."""

    status = 503
    code = "TRY_AGAIN"

    def __init__(self, message: str, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class GiveUp(AppError):
    """It will not work at the next try either."""

    status = 422
    code = "GIVEN_UP"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to make of an error: what to say of it, and whether there is a next try, and when."""

    message: str
    is_final: bool
    wait: timedelta | None = None
    is_known: bool = True


def verdict_on(error: Exception) -> Verdict:
    """What a user may read will not read differently at the next try, unless it passes."""
    known = as_app_error(error)
    if known is None:
        return Verdict(UNEXPECTED, is_final=False, is_known=False)
    wait = known.wait if isinstance(known, TryAgain) else None
    return Verdict(known.message, known.status < 500 and known.status != 429, wait)


@dataclass(frozen=True)
class Resources:
    """What the worker's process has once, for all jobs."""

    database: Database
    settings: Settings
    templates: Templates
    # Of the web server that the worker is part of: its limits are those of the process.
    web_running: Running | None = None
    processes: ProcessPool = field(default_factory=ProcessPool)
    meters: Meters = SILENT
    watchers: Sequence[Watcher] = ()

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


@dataclass(frozen=True, slots=True)
class FailedStep(Step):
    """``pause`` is how long until the next attempt; ``None`` when this was the last."""

    pause: timedelta | None


class Outcome(StrEnum):
    """What became of an attempt; ``PUT_BACK`` is all that says nothing of the work itself."""

    SUCCEEDED = "succeeded"
    TO_BE_RETRIED = "to_be_retried"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PUT_BACK = "put_back"


@dataclass(slots=True)
class JobContext:
    """Of one attempt at one job."""

    attempt: Attempt
    resources: Resources
    _noted_at: float = field(default=0.0)
    is_done: bool = field(default=False)
    outcome: Outcome = field(default=Outcome.PUT_BACK)

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

    @asynccontextmanager
    async def failed_step(self, error: Exception) -> AsyncIterator[FailedStep]:
        """The step that puts on record why this attempt failed, and what the handler adds to it.

        Raise ``AttemptEnded`` once it is committed.
        """
        verdict = verdict_on(error)
        async with self.resources.database.unit_of_work() as session:
            pause = await JobAttemptService(session, SYSTEM).fail(
                self.attempt, verdict.message, final=verdict.is_final, wait=verdict.wait
            )
            yield FailedStep(session, SYSTEM, pause)
        raise AttemptEnded(pause)

    def secret(self) -> str | None:
        """What was sealed for the work, ``None`` when its key is gone or there was nothing."""
        sealed = self.attempt.sealed
        return None if sealed is None else box_of_jobs(self.resources.settings).open(sealed)


Handler = Callable[[JobContext], Awaitable[object]]
