"""Background jobs: asked for in the transaction of their reason, watched, cancelled, retried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import Select, text
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.database import database_now
from app.core.events import Event, publish
from app.core.permissions import Permission
from app.core.queue import queries_of
from app.exceptions import Conflict
from app.models import Agent, Job, JobKind, JobStatus, User
from app.models.base import JsonObject
from app.schemas.jobs import JobQuery
from app.services.base import BaseService
from app.services.paging import Slice, read_slice


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a kind of job is tried, and how long it waits in between (doubling)."""

    attempts: int = 3
    first_delay: timedelta = timedelta(seconds=5)
    longest_delay: timedelta = timedelta(hours=1)

    def delay_after(self, attempt: int) -> timedelta:
        """The pause after the ``attempt``-th failure in a row, from 1."""
        return min(self.longest_delay, self.first_delay * float(2 ** (attempt - 1)))


@dataclass(frozen=True, slots=True)
class Chore:
    """Work by the clock; late when no worker has taken it up for a while."""

    name: str
    last_run: datetime | None
    is_late: bool


LONGEST_WAIT = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(execute_after)) FROM pgqueuer.queue "
    "WHERE status = 'queued' AND execute_after < clock_timestamp()"
)
# Those that a worker of any recent version still does.
CHORES = text(
    "SELECT entrypoint, last_run, next_run < now() - interval '2 minutes' FROM pgqueuer.schedules "
    "WHERE updated > now() - interval '7 days' ORDER BY entrypoint LIMIT 100"
)
POLICIES: dict[str, Policy] = {
    JobKind.ANALYZE_AGENT: Policy(attempts=3),
    # A run that began may have had effects outside: it is not begun again by itself.
    JobKind.RUN_AGENT: Policy(attempts=2),
    JobKind.SEND_MAIL: Policy(attempts=8),
    JobKind.DELIVER_WEBHOOK: Policy(attempts=10, longest_delay=timedelta(hours=12)),
}


def policy_of(kind: str) -> Policy:
    return POLICIES.get(kind, Policy())


class JobService(BaseService[Job, BaseModel, BaseModel]):
    model = Job
    resource = "jobs"
    is_live = True
    noun = "job"
    readable = Permission.JOBS_READ
    writable = Permission.JOBS_WRITE
    deletable = Permission.JOBS_WRITE
    belongs_to_agent = True
    sorts = ("created_at",)
    default_sort = "-created_at"
    filters = ("kind", "status", "agent_id")

    def limited_to_agent(self, statement: Select[Job]) -> Select[Job]:
        only = self.actor.only_agent_id
        return statement if only is None else statement.where(Job.agent_id == only)

    def loads(self) -> Sequence[ExecutableOption]:
        agent = joinedload(Job.agent).load_only(Agent.name, Agent.deleted_at)
        return (agent, joinedload(Job.user).load_only(User.full_name))

    async def list_jobs(self, query: JobQuery) -> Slice[Job]:
        """Newest first: one query and none per row."""
        statement = self.visible().options(*self.loads())
        for field in self.filters:
            if (value := getattr(query, field)) is not None:
                statement = statement.where(getattr(Job, field) == value)
        return await read_slice(
            self.session, statement, self.sorting(None), query.cursor, query.limit
        )

    async def longest_wait_s(self) -> float:
        """Seconds for which the oldest job that is due has waited for a worker; 0 for none."""
        return float(await self.session.scalar(LONGEST_WAIT) or 0)

    async def schedules(self) -> list[Chore]:
        """What workers do by the clock."""
        self.actor.require(self.readable)
        rows = await self.session.execute(CHORES)
        return [Chore(*row) for row in rows]

    async def enqueue(
        self,
        kind: JobKind,
        params: JsonObject,
        *,
        agent_id: int | None = None,
        delay: timedelta | None = None,
    ) -> Job:
        """Ask for work in this transaction: it is done once this commits, or was never asked for.

        Whether the actor may ask is for the caller to decide; the work may do no more than the
        actor may.
        """
        job = Job(
            kind=kind.value,
            status=JobStatus.QUEUED,
            params=params,
            agent_id=agent_id,
            user_id=self.actor.user_id,
            api_key_id=self.actor.api_key_id,
            scopes=sorted(self.actor.permissions),
            attempts_allowed=policy_of(kind).attempts,
        )
        self.session.add(job)
        await self.session.flush()  # the queue and the audit event need its id
        await self.queue(job, delay)
        self.audit.record("create", self.resource, job, {"kind": [None, kind.value]})
        self.announce("create", job)
        return job

    def announce(self, action: str, row: Job) -> None:
        data = {"id": row.id, "status": row.status.value, "progress": row.progress}
        rooms = (self.resource, f"{self.noun}:{row.id}")
        publish(self.session, *(Event(room, action, data) for room in rooms))

    async def queue(self, job: Job, delay: timedelta | None = None) -> None:
        """Give the job a place in the queue, unless it has one."""
        queries = await queries_of(self.session)
        # Asking twice is asking once; the place of an attempt that just ended may still be there.
        await queries.enqueue(
            [job.kind],
            [str(job.id).encode()],
            [0],
            execute_after=[delay],
            dedupe_key=[f"{job.id}:{job.attempts}"],
            on_conflict="skip",
        )

    async def cancel(self, job_id: int) -> Job:
        """End a job that waits; tell one that runs to stop. Raise ``Conflict`` for an ended one."""
        self.require(self.writable)
        job = await self.get(job_id, lock=True)
        if not job.is_open:
            raise Conflict(f"This job has ended already: it {job.status.value}.")
        job.cancel_requested = True
        if job.status is JobStatus.QUEUED:
            self.end(job, JobStatus.CANCELLED, await database_now(self.session))
        await self.save("cancel", job)
        return job

    async def retry(self, job_id: int) -> Job:
        """Try a failed or cancelled job anew. Raise ``Conflict`` for any other."""
        self.require(self.writable)
        job = await self.get(job_id, lock=True)
        if job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
            raise Conflict(f"Only failed and cancelled jobs can be tried again; it {job.status}.")
        job.status, job.cancel_requested, job.progress = JobStatus.QUEUED, False, 0
        job.attempts_allowed = job.attempts + policy_of(job.kind).attempts
        job.error = job.message = job.finished_at = job.next_at = None
        await self.save("retry", job)
        await self.queue(job)
        return job

    @staticmethod
    def end(job: Job, status: JobStatus, at: datetime) -> None:
        job.status, job.finished_at, job.next_at = status, at, None
        if status is JobStatus.SUCCEEDED:
            job.progress = 100
