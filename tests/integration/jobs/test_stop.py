"""A worker that is told to stop ends what it has, or hands it to another at once.

The workers are processes of their own. A lease lasts longer than these tests wait, so nothing is
taken over because a worker is thought dead.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from app.core.actor import Actor, Via
from app.core.database import Database
from app.models import Job, JobStatus
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint
from tests.launching import Launched
from tests.loopback import LoopbackServer
from tests.server import SECRET, clean_environment

WITHIN_S = 120
LEASE_S = 600


class Slow:
    """A receiver that takes its time for the first message, until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        request = Request(scope, receive)
        self.asked.append(request.headers["webhook-id"])
        if len(self.asked) == 1:
            await asyncio.to_thread(self.let_go.wait, WITHIN_S)
        await Response(status_code=204)(scope, receive, send)


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str]]:
    receiver = Slow()
    with LoopbackServer(receiver) as server:
        yield receiver, server.url
        receiver.let_go.set()


async def message_to(database: Database, url: str) -> None:
    async with database.unit_of_work() as session:
        issued = await make_webhook_endpoint(session, url=url)
        await make_webhook_delivery(session, Actor.system(Via.CLI), issued.endpoint)


@asynccontextmanager
async def worker(
    database: Database, folder: Path, name: str, patience_s: float
) -> AsyncIterator[Launched]:
    environment = clean_environment(
        DATABASE_URL=database.engine.url.render_as_string(hide_password=False),
        SECRET_KEY=SECRET,
        OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8",
        JOB_LEASE_S=str(LEASE_S),
        WORKER_PATIENCE_S=str(patience_s),
    )
    log = folder / f"{name}.log"
    process = await asyncio.to_thread(Launched, ["worker"], folder, environment, log)
    await until(lambda: "The worker is running" in log.read_text())
    try:
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, WITHIN_S)


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(WITHIN_S * 20):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("It does not become so.")


async def ended(database: Database) -> Job:
    for _ in range(WITHIN_S * 20):
        async with database.looking() as session:
            job = (await session.scalars(select(Job))).one()
        if not job.is_open:
            return job
        await asyncio.sleep(0.05)
    raise AssertionError(f"The job is {job.status} still.")


async def test_worker_that_stops_ends_the_job_that_it_has(
    own_database: Database, tmp_path: Path, slow: tuple[Slow, str]
) -> None:
    receiver, url = slow
    await message_to(own_database, url)
    async with worker(own_database, tmp_path, "first", WITHIN_S) as first:
        await until(lambda: bool(receiver.asked))
        first.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)  # it has heard by now, and goes on
        assert first.poll() is None
        receiver.let_go.set()
        assert await asyncio.to_thread(first.wait, WITHIN_S) == 0
    job = await ended(own_database)
    assert (job.status, job.attempts, len(receiver.asked)) == (JobStatus.SUCCEEDED, 1, 1)


async def test_job_that_takes_too_long_is_taken_over_at_once(
    own_database: Database, tmp_path: Path, slow: tuple[Slow, str]
) -> None:
    receiver, url = slow
    await message_to(own_database, url)
    async with worker(own_database, tmp_path, "first", 0.2) as first:
        await until(lambda: bool(receiver.asked))
        async with worker(own_database, tmp_path, "second", WITHIN_S):
            first.send_signal(signal.SIGTERM)
            job = await ended(own_database)
            assert await asyncio.to_thread(first.wait, WITHIN_S) == 0
    assert job.status is JobStatus.SUCCEEDED
    assert len(receiver.asked) == 2
    assert len(set(receiver.asked)) == 1, "the receiver knows it for the same message"
