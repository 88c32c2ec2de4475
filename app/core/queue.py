"""PgQueuer's tables, in a schema of their own: the transport under the ``jobs`` table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import JOB_STATUS, Channel, QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter
from sqlalchemy.ext.asyncio import AsyncSession

Q = TypeVar("Q", bound=Queries)
SCHEMA = "pgqueuer"
# Every name is given: the library would take missing ones from the environment.
QUEUE = DBSettings(
    prefix="",
    db_schema=SCHEMA,
    channel=Channel("greenroom_jobs"),
    function="queue_changed",
    statistics_table="statistics",
    queue_status_type="job_status",
    queue_table="queue",
    queue_table_log="log",
    trigger="queue_changed",
    schedules_table="schedules",
    durability=Durability.durable,
    widen_id=True,
)


# A worker that was thought dead may come back: only who holds a place may give it up.
ACKNOWLEDGE = f"""
DELETE FROM {SCHEMA}.queue q USING unnest($1::bigint[], $2::uuid[]) AS held (id, holder)
WHERE q.id = held.id AND q.queue_manager_id = held.holder
"""  # noqa: S608  (constants of ours)
PUT_BACK = f"""
UPDATE {SCHEMA}.queue SET status = 'queued', execute_after = now() + $3::interval,
    attempts = attempts + 1, updated = now(), queue_manager_id = NULL
WHERE id = $1 AND queue_manager_id = $2
"""  # noqa: S608


class FencedQueries(Queries):
    """The library's statements, but that only a job's holder ends or puts back its place.

    The library does so for whoever once held it. What became of a job is in the jobs table, so
    the library's log of it is not written.
    """

    async def log_jobs(
        self, job_status: list[tuple[QueuedJob, JOB_STATUS, TracebackRecord | None]]
    ) -> None:
        held = [job for job, _, _ in job_status]
        holders = [job.queue_manager_id for job in held]
        await self.driver.execute(ACKNOWLEDGE, [job.id for job in held], holders)

    async def retry_job(
        self, job: QueuedJob, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        await self.driver.execute(PUT_BACK, job.id, job.queue_manager_id, delay)


@dataclass(frozen=True, slots=True)
class Share:
    """How many jobs of these kinds one worker holds at once, however many of them wait."""

    kinds: frozenset[str]
    places: int


class SharedOutQueries(FencedQueries):
    """Claims share by share, so that no kind takes the places of another.

    The library counts a worker's jobs among the kinds that it is asked for; asked for all at once,
    whatever came first would fill the worker.
    """

    shares: Sequence[Share] = ()

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[QueuedJob]:
        found: list[QueuedJob] = []
        for share in self.shares:
            kinds = {kind: limit for kind, limit in entrypoints.items() if kind in share.kinds}
            found += await super().dequeue(
                batch_size, kinds, queue_manager_id, share.places, heartbeat_timeout
            )
        return found


def shared_out(connection: "asyncpg.Connection[Any]", shares: Sequence[Share]) -> Queries:
    """As ``queries_over``, for a worker whose places are shared out like this."""
    queries = made(SharedOutQueries, connection)
    queries.shares = shares
    return queries


def queries_over(connection: "asyncpg.Connection[Any]") -> Queries:
    """The library's statements over one connection, in its transaction where it has one."""
    return made(FencedQueries, connection)


def made(kind: type[Q], connection: "asyncpg.Connection[Any]") -> Q:
    return kind(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(QUEUE),
        qbq=QueryQueueBuilder(QUEUE),
        qbs=QuerySchedulerBuilder(QUEUE),
    )


async def queries_of(session: AsyncSession) -> Queries:
    """The library's statements inside this session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    if raw.driver_connection is None:
        raise RuntimeError("The session has no driver connection.")
    return queries_over(raw.driver_connection)
