"""Background jobs: asked for in the transaction of their reason, watched, cancelled, retried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Select, literal, text
from sqlalchemy.orm import defer, joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.database import database_now
from app.core.permissions import Permission
from app.core.texts import lazy, mark
from app.exceptions import Conflict
from app.models import Agent, Job, JobKind, JobStatus, User
from app.models.base import JsonObject
from app.schemas.jobs import JobPageQuery, JobQuery
from app.services.base import BaseService
from app.services.job_queue import JobQueue, JobRequest, announce_job, policy_of
from app.services.paging import Slice, read_slice


@dataclass(frozen=True, slots=True)
class Chore:
    """Work by the clock; late when no worker has taken it up for a while."""

    name: str
    last_run: datetime | None
    is_late: bool


# As it stands in the index, or the database would not see that it fits.
DELIVERY = literal(JobKind.DELIVER_WEBHOOK.value, literal_execute=True)
LONGEST_WAIT = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(execute_after)) FROM pgqueuer.queue "
    "WHERE status = 'queued' AND execute_after < clock_timestamp()"
)
# Those that a worker of any recent version still does.
CHORES = text(
    "SELECT entrypoint, last_run, next_run < now() - interval '2 minutes' FROM pgqueuer.schedules "
    "WHERE updated > now() - interval '7 days' ORDER BY entrypoint LIMIT 100"
)


class JobService(BaseService[Job, BaseModel, BaseModel]):
    model = Job
    resource = "jobs"
    is_live = True
    noun = mark("job")
    readable = Permission.JOBS_READ
    writable = Permission.JOBS_WRITE
    deletable = Permission.JOBS_WRITE
    belongs_to_agent = True
    sorts = ("created_at",)
    default_sort = "-created_at"
    filters = ("kind", "status", "agent_id", "user_id")

    def limited_to_agent(self, statement: Select[Job]) -> Select[Job]:
        only = self.actor.only_agent_id
        return statement if only is None else statement.where(Job.agent_id == only)

    def loads(self) -> Sequence[ExecutableOption]:
        agent = joinedload(Job.agent).load_only(Agent.name, Agent.deleted_at)
        return (agent, joinedload(Job.user).load_only(User.full_name))

    async def list_jobs(self, query: JobQuery, order: str | None = None) -> Slice[Job]:
        """Newest first, unless ``order`` is another: one query, none per row."""
        # What came of a job may be large; it is on the job's own page.
        statement = self.matching(query).options(*self.loads(), defer(Job.result))
        sort = self.sorting(order)
        return await read_slice(self.session, statement, sort, query.cursor, query.limit)

    def matching(self, query: Any) -> Select[Job]:  # a JobQuery, which comes by cursor
        statement = self.visible()
        for field in self.filters:
            if (value := getattr(query, field)) is not None:
                statement = statement.where(getattr(Job, field) == value)
        if query.since is not None:
            statement = statement.where(Job.created_at >= query.since)
        if query.until is not None:
            statement = statement.where(Job.created_at < query.until)
        if isinstance(query, JobPageQuery) and query.hides_deliveries:
            statement = statement.where(Job.kind != DELIVERY)
        if isinstance(query, JobPageQuery) and query.ids:
            statement = statement.where(Job.id.in_(query.ids))
        return statement

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
        request = JobRequest(kind, params, agent_id)
        [job] = await JobQueue(self.session, self.actor).add([request], delay)
        return job

    def announce(self, action: str, row: Job) -> None:
        announce_job(self.session, action, row)

    async def queue(self, job: Job) -> None:
        """Give the job a place in the queue, unless it has one."""
        await JobQueue(self.session, self.actor).place([job])

    async def set_cancelled(self, job: Job) -> None:
        """Raise ``Conflict`` for an ended one."""
        if not job.is_open:
            raise Conflict(
                lazy("This job has ended already: it %(status)s.", status=job.status.value)
            )
        job.cancel_requested = True

    async def cancel(self, job_id: int) -> Job:
        """End a job that waits; tell one that runs to stop. Raise ``Conflict`` for an ended one."""
        self.require(self.writable)
        job = await self.get(job_id, lock=True)
        await self.set_cancelled(job)
        if job.status is JobStatus.QUEUED:
            self.end(job, JobStatus.CANCELLED, await database_now(self.session))
        await self.save("cancel", job)
        return job

    async def set_queued(self, job: Job) -> None:
        """Raise ``Conflict`` unless it failed or was cancelled."""
        if job.status not in (JobStatus.FAILED, JobStatus.CANCELLED):
            raise Conflict(
                lazy(
                    "Only failed and cancelled jobs can be tried again; it %(status)s.",
                    status=job.status,
                )
            )
        job.status, job.cancel_requested, job.progress = JobStatus.QUEUED, False, 0

    async def retry(self, job_id: int) -> Job:
        """Try a failed or cancelled job anew. Raise ``Conflict`` for any other."""
        self.require(self.writable)
        job = await self.get(job_id, lock=True)
        await self.set_queued(job)
        job.attempts_allowed = job.attempts + policy_of(job.kind).attempts
        job.error = job.message = job.finished_at = job.next_at = None
        await self.save("retry", job)
        await self.queue(job)
        return job

    @staticmethod
    def end(job: Job, status: JobStatus, at: datetime) -> None:
        job.status, job.finished_at, job.next_at = status, at, None
        if status is JobStatus.SUCCEEDED:
            job.progress, job.sealed = 100, None
