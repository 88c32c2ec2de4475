"""The way into the queue of background jobs, for every service that has work to ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from secrets import SystemRandom

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.events import Event, publish
from app.core.keys import SecretBox
from app.core.queue import queries_of
from app.core.watchers import TRAIL
from app.models import Job, JobKind, JobStatus
from app.models.base import JsonObject
from app.services.audit_events import AuditEventService

RESOURCE = "jobs"
BOX = "jobs"
RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a kind of job is tried, and how long it waits in between.

    The pause doubles from ``first_delay`` to ``longest_delay``, or is taken from ``delays``.
    ``jitter`` is the share by which it may be longer or shorter, so that what failed together is
    not tried again together.
    """

    attempts: int = 3
    first_delay: timedelta = timedelta(seconds=5)
    longest_delay: timedelta = timedelta(hours=1)
    delays: tuple[timedelta, ...] = ()
    jitter: float = 0

    def delay_after(self, attempt: int) -> timedelta:
        """The pause after the ``attempt``-th failure in a row, from 1."""
        if self.delays:
            plain = self.delays[min(attempt, len(self.delays)) - 1]
        else:
            plain = min(self.longest_delay, self.first_delay * float(2 ** (attempt - 1)))
        return plain * (1 + RANDOM.uniform(-self.jitter, self.jitter))


# About 75 hours in all, as Standard Webhooks 1.0 advises.
DELIVERY_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
POLICIES: dict[str, Policy] = {
    JobKind.ANALYZE_AGENT: Policy(attempts=3),
    JobKind.RECOMPUTE_COSTS: Policy(attempts=3),
    # A row that somebody else holds locked for long is in its way; it goes on where it was.
    JobKind.BULK_CHANGE: Policy(attempts=5),
    JobKind.IMPORT_ROWS: Policy(attempts=5),
    # Somebody may hold a month for a while; it goes on where it was.
    JobKind.APPLY_RETENTION: Policy(attempts=8, first_delay=timedelta(minutes=1)),
    # A run that began may have had effects outside: it is not begun again by itself.
    JobKind.RUN_AGENT: Policy(attempts=2),
    # Over about two hours.
    JobKind.SEND_MAIL: Policy(attempts=12, jitter=0.1),
    JobKind.DELIVER_WEBHOOK: Policy(attempts=10, delays=DELIVERY_DELAYS, jitter=0.1),
}


def policy_of(kind: str) -> Policy:
    return POLICIES.get(kind, Policy())


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What is to be done.

    ``sealed`` is what only the work may read: encrypted, and on no page and in no answer.
    ``by_product`` has it done in the product's own name, whoever caused it and may be gone by
    then; else it may do no more than who asked.
    """

    kind: JobKind
    params: JsonObject
    agent_id: int | None = None
    sealed: bytes | None = None
    by_product: bool = False


def box_of_jobs(settings: Settings) -> SecretBox:
    """What seals the secrets of jobs, and opens them for the work."""
    return SecretBox(settings, BOX)


def cause_of(actor: Actor) -> str | None:
    """The id of the request that asks; of a job, the one that had caused it itself.

    What runs several requests at once knows it by their actor only.
    """
    if actor.via is not Via.JOB:
        return actor.request_id
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return None if bound is None else str(bound)


def announce_job(session: AsyncSession, action: str, job: Job) -> None:
    """Also to who watches the job's agent; of many at once its room hears once."""
    data = {"id": job.id, "status": job.status.value, "progress": job.progress}
    publish(session, *(Event(room, action, data) for room in (RESOURCE, f"job:{job.id}")))
    if job.agent_id is not None:
        publish(session, Event(f"agent:{job.agent_id}", "job", {"id": job.agent_id}))


class JobQueue:
    """Asks in the transaction of the reason: the work is done once this commits, or never."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    async def add(
        self, requests: Sequence[JobRequest], delay: timedelta | None = None
    ) -> list[Job]:
        """A job for each, in as many statements as for one.

        Whether the actor may ask is for the caller to decide.
        """
        jobs = [self._job(request) for request in requests]
        self.session.add_all(jobs)
        await self.session.flush()  # the queue and the audit event need their ids
        await self.place(jobs, delay)
        self._record(jobs)
        for job in jobs:
            announce_job(self.session, "create", job)
        return jobs

    def _job(self, request: JobRequest) -> Job:
        by_product = request.by_product
        return Job(
            kind=request.kind.value,
            status=JobStatus.QUEUED,
            params=request.params,
            sealed=request.sealed,
            agent_id=request.agent_id,
            user_id=None if by_product else self.actor.user_id,
            api_key_id=None if by_product else self.actor.api_key_id,
            scopes=[] if by_product else sorted(self.actor.permissions),
            attempts_allowed=policy_of(request.kind).attempts,
            request_id=cause_of(self.actor),
            traceparent=TRAIL.get().traceparent,
        )

    def _record(self, jobs: Sequence[Job]) -> None:
        kinds = ", ".join(sorted({job.kind for job in jobs}))
        if len(jobs) == 1:
            self.audit.record("create", RESOURCE, jobs[0], {"kind": [None, kinds]})
            return
        ids = [jobs[0].id, jobs[-1].id]
        changes = {"kind": [None, kinds], "created": [None, len(jobs)], "ids": [None, ids]}
        self.audit.record("create_batch", RESOURCE, None, changes)

    async def place(self, jobs: Sequence[Job], delay: timedelta | None = None) -> None:
        """Give each job a place in the queue, unless it has one."""
        queries = await queries_of(self.session)
        # Asking twice is asking once; the place of an attempt that just ended may still be there.
        await queries.enqueue(
            [job.kind for job in jobs],
            [str(job.id).encode() for job in jobs],
            [0] * len(jobs),
            execute_after=[delay] * len(jobs),
            dedupe_key=[f"{job.id}:{job.attempts}" for job in jobs],
            on_conflict="skip",
        )
