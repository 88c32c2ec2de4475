"""Workers that die all the time, and an account of what became of the jobs."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from app.core.actor import Actor, Via
from app.core.database import Database
from app.models import JobKind
from app.services.jobs import JobService
from tests.crashing_worker import Point
from tests.server import clean_environment

WORKERS = 6
ATTEMPTS = 10_000  # it is not the job's fault
POINTS = {str(point) for point in Point}
SYSTEM = Actor.system(Via.JOB)
SUMMARY = """
SELECT (SELECT count(*) FROM jobs) AS asked,
       (SELECT count(*) FROM jobs WHERE status = 'succeeded') AS succeeded,
       (SELECT count(*) FROM effects) AS effects,
       (SELECT count(DISTINCT job_id) FROM effects) AS jobs_with_effects
"""
SILENT_S = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - heartbeat)), 0)::float
FROM pgqueuer.queue WHERE status = 'picked'
"""


@dataclass(slots=True)
class Account:
    """Deaths by point, the longest that a claimed job was without a sign of life, and the rest."""

    deaths: Counter[str] = field(default_factory=Counter)
    longest_silence_s: float = 0.0
    summary: Mapping[str, int] = field(default_factory=dict)


async def enqueue(database: Database, count: int) -> None:
    async with database.unit_of_work() as session:
        jobs = JobService(session, SYSTEM)
        for _ in range(count):
            job = await jobs.enqueue(JobKind.SEND_MAIL, {})
            job.attempts_allowed = ATTEMPTS


async def start(url: str, seed: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.crashing_worker", url, str(seed)),
        env=clean_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def count_deaths(process: asyncio.subprocess.Process, account: Account) -> None:
    if process.stdout is None:
        raise RuntimeError("The worker's output is not read.")
    async for line in process.stdout:
        if (said := line.decode().strip()) in POINTS:
            account.deaths[said] += 1


async def watch(database: Database, account: Account) -> None:
    """Return when no job is open any more."""
    while True:
        async with database.engine.connect() as connection:
            silence = await connection.scalar(text(SILENT_S))
            account.longest_silence_s = max(account.longest_silence_s, silence or 0.0)
            row = (await connection.execute(text(SUMMARY))).mappings().one()
            account.summary = dict(row)
        if row["succeeded"] == row["asked"]:
            return
        await asyncio.sleep(0.1)


@asynccontextmanager
async def workers(database: Database, count: int, account: Account) -> AsyncIterator[None]:
    """That start again whenever they die, and can leave effects."""
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE effects (job_id bigint NOT NULL)"))
    url = database.engine.url.render_as_string(hide_password=False)
    processes = [await start(url, seed) for seed in range(count)]
    counting = [asyncio.create_task(count_deaths(p, account)) for p in processes]
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            await process.wait()
        await asyncio.gather(*counting)


async def crash_until_done(database: Database, jobs: int, deaths: int) -> Account:
    """So many jobs at a time, again and again, until the workers died so often."""
    account = Account()
    async with workers(database, WORKERS, account):
        while account.deaths.total() < deaths:
            await enqueue(database, jobs)
            await watch(database, account)
    return account
