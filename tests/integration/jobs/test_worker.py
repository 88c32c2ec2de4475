"""Jobs are done once, tried again, cancelled and taken over, by a worker over real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.queue import queries_over
from app.core.templating import Templates
from app.exceptions import Conflict, Invalid
from app.jobs.chores import seal_audit_log
from app.jobs.context import JobContext, Resources
from app.jobs.registry import Handled, Schedule
from app.jobs.worker import Worker
from app.models import AuditEvent, AuditSeal, Job, JobKind, JobStatus
from app.services import job_queue
from app.services.job_attempts import JobAttemptService
from app.services.job_queue import Policy
from app.services.jobs import JobService
from tests.conftest import settings_for

SYSTEM = Actor.system(Via.JOB)
KIND = JobKind.SEND_MAIL
QUICK = Policy(3, timedelta(0), timedelta(0))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(job_queue.POLICIES, KIND, QUICK)


@asynccontextmanager
async def working(
    database: Database,
    handler: Callable[[JobContext], Awaitable[object]],
    chores: Sequence[Schedule] = (),
    **settings: float,
) -> AsyncIterator[Worker]:
    url = database.engine.url.render_as_string(hide_password=False)
    chosen: Settings = settings_for(url, **{"job_lease_s": 1, "worker_patience_s": 0} | settings)
    worker = Worker(Resources(database, chosen, Templates()), [Handled(KIND, handler)], chores)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await task


async def enqueue(database: Database, **params: object) -> int:
    async with database.unit_of_work() as session:
        return (await JobService(session, SYSTEM).enqueue(KIND, dict(params))).id


async def read(database: Database, job_id: int) -> Job:
    async with database.looking() as session:
        return await JobService(session, SYSTEM).get(job_id)


async def ended(database: Database, job_id: int) -> Job:
    for _ in range(1_000):
        if not (job := await read(database, job_id)).is_open:
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(f"The job is still {job.status}, at attempt {job.attempts}.")


async def test_job_is_done_and_its_result_kept(own_database: Database) -> None:
    async def double(context: JobContext) -> object:
        await context.progress(50, "half-way")
        return {"answer": 2 * context.attempt.params["number"]}

    async with working(own_database, double):
        job = await ended(own_database, await enqueue(own_database, number=21))
    assert (job.status, job.result, job.progress) == (JobStatus.SUCCEEDED, {"answer": 42}, 100)
    async with own_database.looking() as session:
        events = await session.scalars(select(AuditEvent.action).order_by(AuditEvent.id))
        assert list(events) == ["create", "end"]


async def test_job_of_a_transaction_that_fails_was_never_asked_for(own_database: Database) -> None:
    async def ask_and_fail() -> None:
        async with own_database.unit_of_work() as session:
            await JobService(session, SYSTEM).enqueue(KIND, {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await ask_and_fail()
    async with own_database.looking() as session:
        assert await session.scalar(select(func.count(Job.id))) == 0
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer.queue")) == 0


async def test_failed_job_is_tried_again_and_then_kept_with_its_error(
    own_database: Database,
) -> None:
    async def fail(_: JobContext) -> object:
        raise ConnectionError

    async with working(own_database, fail):
        job = await ended(own_database, await enqueue(own_database))
    assert (job.status, job.attempts) == (JobStatus.FAILED, 3)
    assert job.error is not None


async def test_error_that_will_not_pass_is_final(own_database: Database) -> None:
    async def refuse(_: JobContext) -> object:
        raise Invalid("The file is empty.")

    async with working(own_database, refuse):
        job = await ended(own_database, await enqueue(own_database))
    assert (job.status, job.attempts, job.error) == (JobStatus.FAILED, 1, "The file is empty.")


async def test_dead_job_can_be_tried_again(own_database: Database) -> None:
    broken = True

    async def work(_: JobContext) -> object:
        if broken:
            raise Invalid("Not yet.")
        return "done"

    async with working(own_database, work):
        job_id = await enqueue(own_database)
        await ended(own_database, job_id)
        broken = False
        async with own_database.unit_of_work() as session:
            await JobService(session, SYSTEM).retry(job_id)
        job = await ended(own_database, job_id)
        assert (job.status, job.result, job.error) == (JobStatus.SUCCEEDED, "done", None)
        with pytest.raises(Conflict):
            async with own_database.unit_of_work() as session:
                await JobService(session, SYSTEM).retry(job_id)


async def test_running_job_stops_when_it_is_cancelled(own_database: Database) -> None:
    begun = asyncio.Event()

    async def wait(_: JobContext) -> object:
        begun.set()
        await asyncio.Event().wait()
        return None

    async with working(own_database, wait):
        job_id = await enqueue(own_database)
        await begun.wait()
        async with own_database.unit_of_work() as session:
            await JobService(session, SYSTEM).cancel(job_id)
        job = await ended(own_database, job_id)
    assert job.status is JobStatus.CANCELLED


async def test_job_of_a_worker_that_stops_is_given_back_unharmed(own_database: Database) -> None:
    begun = asyncio.Event()

    async def wait(_: JobContext) -> object:
        begun.set()
        await asyncio.Event().wait()
        return None

    async with working(own_database, wait):
        job_id = await enqueue(own_database)
        await begun.wait()
    assert (await read(own_database, job_id)).status is JobStatus.QUEUED

    async def finish(_: JobContext) -> object:
        return "done"

    async with working(own_database, finish):
        assert (await ended(own_database, job_id)).result == "done"


async def test_attempt_that_lost_its_job_can_change_nothing(own_database: Database) -> None:
    """The first worker is thought dead, but lives: only the second's effect is kept."""
    effects: list[int] = []
    overtaken = asyncio.Event()

    async def slow(context: JobContext) -> object:
        if context.attempt.number == 1:
            async with own_database.unit_of_work() as session:
                await JobAttemptService(session, SYSTEM).claim(context.attempt.job_id)
            overtaken.set()
        async with context.last_step():
            effects.append(context.attempt.number)
        return None

    async with working(own_database, slow):
        job_id = await enqueue(own_database)
        await overtaken.wait()
    job = await read(own_database, job_id)
    assert (job.status, job.attempts, effects) == (JobStatus.RUNNING, 2, [])


async def test_lost_place_in_the_queue_is_found_again(own_database: Database) -> None:
    job_id = await enqueue(own_database)
    async with own_database.unit_of_work() as session:
        await session.execute(text("DELETE FROM pgqueuer.queue"))
        await session.execute(text("UPDATE jobs SET updated_at = now() - interval '1 hour'"))
        assert await JobAttemptService(session, SYSTEM).requeue_lost() == 1

    async def finish(_: JobContext) -> object:
        return "done"

    async with working(own_database, finish):
        assert (await ended(own_database, job_id)).result == "done"


async def test_chores_are_done_by_the_clock(own_database: Database) -> None:
    async def nothing(_: JobContext) -> object:
        return None

    await enqueue(own_database)
    chore = Schedule("seal", "* * * * * */1", seal_audit_log)
    async with working(own_database, nothing, [chore]), own_database.looking() as session:
        for _ in range(200):
            if sealed := await session.scalar(select(func.count(AuditSeal.id))):
                break
            await asyncio.sleep(0.05)
    assert sealed


async def test_tables_of_the_queue_are_what_the_library_wants(own_database: Database) -> None:
    async with own_database.dedicated() as connection:
        plan = await queries_over(connection).plan_upgrade()
    assert not plan.statements
