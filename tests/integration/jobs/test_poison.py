"""A job that kills its worker each time ends as a dead letter, and takes nobody with it."""

from sqlalchemy import text

from app.core.database import Database
from app.models import Job, JobStatus
from app.services.job_attempts import DIED
from app.services.jobs import JobService
from tests.crashes import Account, workers
from tests.crashing_worker import KIND, Role
from tests.integration.jobs.test_worker import SYSTEM, ended

TRIES = 3
HARMLESS = 12


async def enqueue(database: Database, role: Role, count: int) -> list[int]:
    async with database.unit_of_work() as session:
        jobs = []
        for _ in range(count):
            job = await JobService(session, SYSTEM).enqueue(KIND, {"role": role})
            job.attempts_allowed = TRIES
            jobs.append(job.id)
        return jobs


async def all_ended(database: Database, job_ids: list[int]) -> list[Job]:
    return [await ended(database, job_id) for job_id in job_ids]


async def test_poison_dies_after_its_tries_and_those_beside_it_are_done_once(
    own_database: Database,
) -> None:
    async with workers(own_database, 1, Account()):
        [poison] = await enqueue(own_database, Role.POISON, 1)
        harmless = await enqueue(own_database, Role.HARMLESS, HARMLESS)
        done = await all_ended(own_database, harmless)
        dead = await ended(own_database, poison)
    assert (dead.status, dead.attempts, dead.error) == (JobStatus.FAILED, TRIES, DIED)
    assert {(job.status, job.error) for job in done} == {(JobStatus.SUCCEEDED, None)}
    async with own_database.looking() as session:
        effects = await session.execute(text("SELECT job_id FROM effects ORDER BY job_id"))
        assert list(effects.scalars()) == harmless
