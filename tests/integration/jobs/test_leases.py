"""A job whose worker died is taken over within two leases, whatever it is and however many died.

Leases are counted, not waited for: the dead worker's signs of life are made older, a lease at a
time, and after each a living worker looks once, as it does at least once a lease.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import annotated_types
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter
from sqlalchemy import text

from app.core.config import Settings
from app.core.database import Database
from app.core.queue import shared_out
from app.core.templating import Templates
from app.jobs import HANDLED
from app.jobs.context import JobContext, Resources
from app.jobs.worker import BATCH, LOOK_EVERY_S, Worker, shares_of
from app.models import JobKind, JobStatus
from app.services.job_attempts import JobAttemptService
from app.services.jobs import JobService
from tests.conftest import settings_for
from tests.integration.jobs.test_worker import SYSTEM, ended

LEASE = timedelta(seconds=4)
MANY = 20
LIMITS = {
    QueueEntrypoint(entry.kind.value): EntrypointExecutionParameter(entry.concurrency)
    for entry in HANDLED
}


async def look(database: Database, who: QueueManagerId) -> list[QueuedJob]:
    """All that this worker gets at one look."""
    found: list[QueuedJob] = []
    async with database.dedicated() as connection:
        queries = shared_out(connection, shares_of(HANDLED, settings_for("")))
        while more := await queries.dequeue(BATCH, LIMITS, who, None, LEASE):
            found += more
    return found


async def grow_silent(database: Database, leases: float) -> None:
    async with database.engine.begin() as connection:
        older = text("UPDATE pgqueuer.queue SET heartbeat = heartbeat - CAST(:by AS interval)")
        await connection.execute(older, {"by": LEASE * leases})


async def enqueue(database: Database, count: int) -> None:
    async with database.unit_of_work() as session:
        for kind in JobKind:
            for _ in range(count):
                await JobService(session, SYSTEM).enqueue(kind, {})


async def test_jobs_of_a_dead_worker_are_taken_over_within_two_leases(
    own_database: Database,
) -> None:
    await enqueue(own_database, MANY)
    dead, living = QueueManagerId(uuid4()), QueueManagerId(uuid4())
    lost = {job.id for job in await look(own_database, dead)}
    places = sum(
        min(entry.concurrency or MANY, share.places)
        for entry in HANDLED
        for share in shares_of(HANDLED, settings_for(""))
        if entry.kind.value in share.kinds
    )
    assert len(lost) == places, "it had all that one worker may have"
    await grow_silent(own_database, 0.5)
    assert not lost & {job.id for job in await look(own_database, living)}, "it may live"
    leases, missing = 0.5, lost
    while missing:
        await grow_silent(own_database, 0.5)
        leases += 0.5
        missing = missing - {job.id for job in await look(own_database, QueueManagerId(uuid4()))}
        assert leases <= 2


async def test_job_of_a_dead_worker_is_done_by_a_living_one(own_database: Database) -> None:
    await enqueue(own_database, 1)
    lost = await look(own_database, QueueManagerId(uuid4()))
    ids = [int(job.payload or b"0") for job in lost]
    async with own_database.unit_of_work() as session:
        for job_id in ids:
            await JobAttemptService(session, SYSTEM).claim(job_id)
    await grow_silent(own_database, 1)

    async def done(context: JobContext) -> object:
        return context.attempt.number

    handled = [replace(entry, handler=done, turn=None) for entry in HANDLED]
    url = own_database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(url, job_lease_s=LEASE.total_seconds())
    worker = Worker(Resources(own_database, settings, Templates()), handled, ())
    working = asyncio.create_task(worker.run())
    found = [await ended(own_database, job_id) for job_id in ids]
    await worker.stop()
    await working
    assert {job.kind for job in found} == set(JobKind)
    assert {(job.status, job.result) for job in found} == {(JobStatus.SUCCEEDED, 2)}


def test_worker_looks_at_least_once_in_the_shortest_lease() -> None:
    [least] = [
        rule.ge
        for rule in Settings.model_fields["job_lease_s"].metadata
        if isinstance(rule, annotated_types.Ge)
    ]
    assert float(str(least)) >= LOOK_EVERY_S
