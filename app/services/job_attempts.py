"""One try at a job, seen from the worker: claimed under a number that fences all others off."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.database import database_now
from app.core.permissions import ROLE_PERMISSIONS, Permission
from app.core.texts import lazy
from app.exceptions import Forbidden
from app.models import ApiKey, Job, JobStatus, User
from app.models.base import JsonObject
from app.models.jobs import OPEN_JOBS
from app.services.job_queue import JobQueue, policy_of
from app.services.jobs import JobService

# Younger ones may be just about to be acknowledged.
LOST = (
    select(Job)
    .where(
        Job.status.in_(OPEN_JOBS),
        Job.updated_at < func.clock_timestamp() - timedelta(seconds=60),
        text(
            "NOT EXISTS (SELECT FROM pgqueuer.queue q WHERE q.status IN ('queued', 'picked')"
            " AND split_part(q.dedupe_key, ':', 1)::bigint = jobs.id)"
        ),
    )
    .order_by(Job.id)
    .limit(1_000)
)
# How long a job of its kind is to wait for its turn; ``None``: not at all.
Turn = Callable[[AsyncSession, Job], Awaitable[timedelta | None]]
DIED = "The worker stopped in the middle of it, every time it was tried."


class Superseded(Exception):
    """Another attempt has the job now, or it has ended: whatever this one did is to be dropped."""


class CancelRequested(Exception):
    """Someone asked this job to stop."""


class BetterAlone(Exception):
    """Workers died with this job, and one try is left: beside others like it, that is no fair one.

    Whichever of them kills its worker would take the last try of all the others with it.
    """


class NotYet(Exception):
    """Others of its kind come first: it is to be asked about again after ``wait``."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("it is not this job's turn")
        self.wait = wait


class AttemptEnded(Exception):
    """This attempt failed and that is on record; the next one begins after ``pause``, if any."""

    def __init__(self, pause: timedelta | None) -> None:
        super().__init__("the attempt has ended")
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a handler needs to know. ``number`` counts from 1 over the job's whole life."""

    job_id: int
    number: int
    kind: str
    params: JsonObject
    agent_id: int | None
    sealed: bytes | None = field(default=None, repr=False)
    request_id: str | None = None
    traceparent: str | None = None


def attempt_at(job: Job) -> Attempt:
    return Attempt(
        job_id=job.id,
        number=job.attempts,
        kind=job.kind,
        params=job.params,
        agent_id=job.agent_id,
        sealed=job.sealed,
        request_id=job.request_id,
        traceparent=job.traceparent,
    )


async def actor_of_job(session: AsyncSession, job: Job) -> Actor:
    """Whoever asked, with what they were allowed then and still are.

    Raise ``Forbidden`` when they may no longer sign in.
    """
    if job.user_id is None:
        return Actor.system(Via.JOB)
    user = await session.get(User, job.user_id)
    if user is None or not user.is_active or user.deleted_at is not None:
        raise Forbidden(lazy("Who asked for this may no longer sign in."))
    key = await session.get(ApiKey, job.api_key_id) if job.api_key_id else None
    kept = frozenset(Permission(scope) for scope in job.scopes if scope in set(Permission))
    return Actor(
        user_id=user.id,
        role=user.role,
        permissions=kept & ROLE_PERMISSIONS[user.role],
        via=Via.JOB,
        api_key_id=job.api_key_id,
        only_agent_id=key.agent_id if key else None,
        request_id=f"job-{job.id}",
    )


class JobAttemptService:
    """Moves a job from attempt to attempt, for the product itself."""

    resource = "jobs"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.jobs = JobService(session, actor)

    async def _locked(self, job_id: int) -> Job | None:
        statement = select(Job).where(Job.id == job_id).with_for_update()
        return await self.session.scalar(statement.execution_options(populate_existing=True))

    async def claim(
        self, job_id: int, turns: Mapping[str, Turn] | None = None, *, is_alone: bool = False
    ) -> Attempt | None:
        """The next attempt, or ``None`` when there is nothing left to do.

        A job that is running already had a worker that stopped beating: it is taken over.
        Raise ``BetterAlone`` when that leaves it its last try, unless ``is_alone``, and ``NotYet``
        where the ``turns`` of its kind say so.
        """
        job = await self._locked(job_id)
        if job is None or not job.is_open:
            return None
        if job.cancel_requested:
            await self._end(job, JobStatus.CANCELLED)
            return None
        if job.attempts >= job.attempts_allowed:
            await self._end(job, JobStatus.FAILED, DIED)
            return None
        is_last = job.attempts == job.attempts_allowed - 1
        if job.status is JobStatus.RUNNING and is_last and not is_alone:
            raise BetterAlone
        turn = (turns or {}).get(job.kind)
        wait = await turn(self.session, job) if turn else None
        if wait is not None:
            raise NotYet(wait)
        job.attempts += 1
        job.status, job.next_at = JobStatus.RUNNING, None
        job.started_at = job.started_at or await database_now(self.session)
        await self.session.flush()  # nothing but this attempt may write from here on
        self.jobs.announce("progress", job)
        return attempt_at(job)

    async def held(self, attempt: Attempt) -> Job:
        """The job, locked for this attempt's next step.

        Raise ``Superseded`` when it is no longer this attempt's, ``CancelRequested`` when it is
        to stop.
        """
        job = await self._locked(attempt.job_id)
        if job is None or job.status is not JobStatus.RUNNING or job.attempts != attempt.number:
            raise Superseded
        if job.cancel_requested:
            raise CancelRequested
        return job

    async def note_progress(self, job: Job, progress: int, message: str | None) -> None:
        job.progress, job.message = max(0, min(100, progress)), message and message[:500]
        await self.session.flush()  # who watches sees it once this step is committed
        self.jobs.announce("progress", job)

    async def succeed(self, job: Job, result: object) -> None:
        job.result, job.error, job.message = result, None, None
        await self._end(job, JobStatus.SUCCEEDED)

    async def fail(
        self, attempt: Attempt, error: str, *, final: bool, wait: timedelta | None = None
    ) -> timedelta | None:
        """End the attempt: the pause before the next one, or ``None`` when it was the last.

        The pause is ``wait`` at least.
        """
        job = await self.held_or_cancelled(attempt)
        if job.cancel_requested:
            await self._end(job, JobStatus.CANCELLED)
            return None
        if final or job.attempts >= job.attempts_allowed:
            await self._end(job, JobStatus.FAILED, error)
            return None
        delay = policy_of(job.kind).delay_after(self._in_a_row(job))
        delay = delay if wait is None else max(delay, wait)
        job.status, job.error = JobStatus.QUEUED, error
        job.next_at = await database_now(self.session) + delay
        await self.session.flush()  # the pause is seen on the job's page
        self.jobs.announce("progress", job)
        return delay

    async def release(self, attempt: Attempt) -> None:
        """Give the job back unharmed, as a worker does that is told to stop."""
        job = await self.held_or_cancelled(attempt)
        job.status, job.attempts_allowed = JobStatus.QUEUED, job.attempts_allowed + 1
        await self.session.flush()  # another worker may begin at once
        self.jobs.announce("progress", job)

    async def cancelled(self, attempt: Attempt) -> None:
        await self._end(await self.held_or_cancelled(attempt), JobStatus.CANCELLED)

    async def held_or_cancelled(self, attempt: Attempt) -> Job:
        job = await self._locked(attempt.job_id)
        if job is None or job.status is not JobStatus.RUNNING or job.attempts != attempt.number:
            raise Superseded
        return job

    async def requeue_lost(self) -> int:
        """Bring back open jobs that no place in the queue stands for: how many there were.

        The queue's own bookkeeping may be lost with a connection; the job never is.
        """
        lost = list(await self.session.scalars(LOST))
        if lost:
            await JobQueue(self.session, self.jobs.actor).place(lost)
        return len(lost)

    async def asked_to_stop(self, job_ids: set[int]) -> set[int]:
        """Which of these running jobs someone has cancelled."""
        statement = select(Job.id).where(Job.id.in_(job_ids), Job.cancel_requested)
        return set(await self.session.scalars(statement))

    @staticmethod
    def _in_a_row(job: Job) -> int:
        """The how-manieth failure since it was asked for, or asked for again."""
        return max(1, job.attempts - (job.attempts_allowed - policy_of(job.kind).attempts))

    async def _end(self, job: Job, status: JobStatus, error: str | None = None) -> None:
        job.error = error or job.error
        self.jobs.end(job, status, await database_now(self.session))
        changes = {"status": [JobStatus.RUNNING.value, status.value]}
        self.jobs.audit.record("end", self.resource, job, changes, job.error)
        await self.session.flush()  # the outcome and its event belong together
        await self.jobs.tell("end", job, changes)
        self.jobs.announce("progress", job)
