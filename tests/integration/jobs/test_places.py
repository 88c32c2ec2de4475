"""Long jobs, however many wait, leave the others their places in each worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from pgqueuer.domain.errors import RetryRequested

from app.core.config import Settings
from app.core.database import Database
from app.core.templating import Templates
from app.jobs import HANDLED
from app.jobs.context import JobContext, Resources
from app.jobs.registry import Handled
from app.jobs.worker import JobRunner, Worker, shares_of
from app.models import JobKind, JobStatus
from app.services.jobs import JobService
from tests.conftest import settings_for
from tests.integration.jobs.test_worker import SYSTEM, ended

AT_ONCE = 3
LONG = JobKind.RUN_AGENT


@dataclass
class Counted:
    """The kinds of the product, with runs that never end and all others that end at once."""

    now: Counter[int] = field(default_factory=Counter)

    def handled(self, worker: int) -> list[Handled]:
        async def run(_: JobContext) -> object:
            self.now[worker] += 1
            await asyncio.Event().wait()
            return None

        async def done(_: JobContext) -> object:
            return "done"

        return [
            replace(entry, handler=run if entry.kind is LONG else done, turn=None)
            for entry in HANDLED
        ]

    async def until(self, running: int) -> None:
        for _ in range(500):
            if self.now.total() >= running:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"There are {dict(self.now)} runs.")


@asynccontextmanager
async def working(
    database: Database, settings: Settings, handled: list[Handled]
) -> AsyncIterator[None]:
    worker = Worker(Resources(database, settings, Templates()), handled, ())
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop()
        await task


async def enqueue(database: Database, *kinds: JobKind) -> list[int]:
    async with database.unit_of_work() as session:
        jobs = JobService(session, SYSTEM)
        return [(await jobs.enqueue(kind, {})).id for kind in kinds]


async def test_runs_that_wait_keep_no_other_job_waiting(own_database: Database) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    settings = settings_for(url, provider_concurrency=AT_ONCE, worker_patience_s=0)
    counted = Counted()
    await enqueue(own_database, *[LONG] * 40)
    async with AsyncExitStack() as workers:
        for number in range(2):
            handled = counted.handled(number)
            await workers.enter_async_context(working(own_database, settings, handled))
        await counted.until(2 * AT_ONCE)
        others = await enqueue(own_database, *(kind for kind in JobKind if kind is not LONG))
        found = [await ended(own_database, job_id) for job_id in others]
        assert {job.status for job in found} == {JobStatus.SUCCEEDED}
        assert counted.now == {0: AT_ONCE, 1: AT_ONCE}


def test_each_kind_has_places_in_a_worker_whatever_is_set() -> None:
    few = settings_for("", worker_concurrency=1, provider_concurrency=1)
    shares = shares_of(HANDLED, few)
    assert sorted(kind for share in shares for kind in share.kinds) == sorted(JobKind)
    assert all(share.places >= 1 for share in shares)
    assert [share.places for share in shares if LONG in share.kinds] == [1]
    many = settings_for("", worker_concurrency=4, provider_concurrency=100)
    assert [share.places for share in shares_of(HANDLED, many) if LONG in share.kinds] == [4]


async def test_worker_that_stops_begins_nothing_that_it_has_just_claimed(
    own_database: Database,
) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    counted, resources = Counted(), Resources(own_database, settings_for(url), Templates())
    runner = JobRunner(resources, counted.handled(0))
    early, late = await enqueue(own_database, LONG, LONG)
    await runner.stop(0)
    with pytest.raises(RetryRequested):
        await runner.run(early)
    with pytest.raises(RetryRequested):
        await runner._claim(late)
    assert not counted.now
    async with own_database.looking() as session:
        jobs = [await JobService(session, SYSTEM).get(job_id) for job_id in (early, late)]
    assert [(job.status, job.attempts) for job in jobs] == [(JobStatus.QUEUED, 0)] * 2
