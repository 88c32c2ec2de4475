"""A database that goes and comes back under a running job: the job ends once, with one effect."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from app.core.database import Database
from app.core.migrations import migrate
from app.jobs.context import JobContext
from app.models import AuditEvent, JobStatus
from app.services import job_queue
from tests.conftest import settings_for
from tests.integration.jobs.test_worker import KIND, QUICK, ended, enqueue, working
from tests.outage import MortalPostgres, Outage, mortal_postgres

EFFECT = text("INSERT INTO effects (job_id) VALUES (:job_id)")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(job_queue.POLICIES, KIND, QUICK)


@pytest.fixture(scope="module")
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MortalPostgres]:
    with mortal_postgres(tmp_path_factory.mktemp("mortal")) as server:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(server.embedded.ensure_database).result()
        yield server


@pytest.fixture(scope="module")
async def restartable(mortal: MortalPostgres) -> AsyncIterator[Database]:
    database = Database.from_settings(settings_for(mortal.embedded.url()))
    await migrate(database.engine)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE effects (job_id bigint NOT NULL)"))
    yield database
    await database.dispose()


async def until_the_queue_is_empty(database: Database) -> None:
    """A place whose end was said into the lost connection is looked at once more."""
    async with database.looking() as session:
        for _ in range(400):
            if not await session.scalar(text("SELECT count(*) FROM pgqueuer.queue")):
                return
            await asyncio.sleep(0.05)
    raise AssertionError("The queue does not run empty.")


@pytest.mark.parametrize("outage", [Outage.STOPPED, Outage.KILLED])
@pytest.mark.parametrize("is_effect_made", [False, True], ids=["before", "uncommitted"])
async def test_job_under_which_the_database_restarts_has_one_effect(
    mortal: MortalPostgres, restartable: Database, outage: Outage, *, is_effect_made: bool
) -> None:
    tries: list[int] = []
    is_back = asyncio.Event()

    async def restarted() -> None:
        for move in (mortal.begin, mortal.end):
            await asyncio.to_thread(move, outage)
        is_back.set()

    async def work(context: JobContext) -> object:
        tries.append(context.attempt.number)
        is_first = len(tries) == 1
        if is_first and not is_effect_made:
            await restarted()
        async with context.last_step("done") as step:
            await step.session.execute(EFFECT, {"job_id": context.attempt.job_id})
            if is_first and is_effect_made:
                await restarted()
        return None

    async with working(restartable, work):
        job_id = await enqueue(restartable)
        await is_back.wait()
        job = await ended(restartable, job_id)
        await until_the_queue_is_empty(restartable)
    assert (job.status, job.result) == (JobStatus.SUCCEEDED, "done")
    assert job.attempts == tries[-1]
    async with restartable.looking() as session:
        of_this_job = text("SELECT count(*) FROM effects WHERE job_id = :job_id")
        assert await session.scalar(of_this_job, {"job_id": job.id}) == 1
        ends = select(func.count(AuditEvent.id)).where(
            AuditEvent.resource == "jobs",
            AuditEvent.resource_id == job.id,
            AuditEvent.action == "end",
        )
        assert await session.scalar(ends) == 1
