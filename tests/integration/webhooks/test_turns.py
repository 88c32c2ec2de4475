"""An endpoint that does not answer keeps its own messages waiting, and nobody else's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.actor import Actor
from app.core.database import Database
from app.core.permissions import Role
from app.core.templating import Templates
from app.jobs import HANDLED
from app.jobs.context import Resources
from app.jobs.worker import Worker
from app.models import Job
from app.services.webhook_deliveries import WebhookDeliveryService
from app.services.webhook_turns import AT_ONCE
from tests.conftest import actor_for, settings_for
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import make_webhook_endpoint
from tests.loopback import LoopbackServer
from tests.receiver import Receiver, reaching_loopback, receiving

MESSAGES = 50
# Less than the dead endpoint's timeout: nothing of it is over when the other has its message.
TAKEN_WITHIN_S = 15


class Silent:
    """A receiver that takes requests and never answers."""

    def __init__(self) -> None:
        self.now = self.at_once = self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        self.asked += 1
        self.now += 1
        self.at_once = max(self.at_once, self.now)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.now -= 1


@contextmanager
def silence() -> Iterator[tuple[Silent, str]]:
    silent = Silent()
    with LoopbackServer(silent) as server:
        yield silent, f"{server.url}/hooks"


async def send(database: Database, actor: Actor, url: str, count: int) -> None:
    async with database.unit_of_work() as session:
        made = await make_webhook_endpoint(session, actor, url=url, events=["job.failed"])
        deliveries = WebhookDeliveryService(session, actor)
        for _ in range(count):
            await deliveries.send_test(made.endpoint)


async def until_taken(receiver: Receiver) -> None:
    for _ in range(TAKEN_WITHIN_S * 20):
        if receiver.received:
            return
        await asyncio.sleep(0.05)
    pytest.fail("The message waits behind those of the dead endpoint.")


async def test_dead_endpoint_does_not_delay_the_message_of_another(own_database: Database) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    settings = reaching_loopback(settings_for(url, worker_patience_s=0))
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session, Role.SUPERUSER))
    workers = [
        Worker(Resources(own_database, settings, Templates()), HANDLED, ()) for _ in range(2)
    ]
    with silence() as (silent, dead_url), receiving() as receiver:
        await send(own_database, actor, dead_url, MESSAGES)
        await send(own_database, actor, receiver.url, 1)
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        await until_taken(receiver)
        for worker in workers:
            await worker.stop()
        await asyncio.wait(tasks)
        assert 0 < silent.at_once <= AT_ONCE, "whichever worker asks"
        assert silent.asked <= AT_ONCE, "no time-out was waited for"
    async with own_database.looking() as session:
        tried = select(func.count(Job.id)).where(Job.attempts > 0)
        assert (await session.scalar(tried) or 0) <= AT_ONCE + 1, "waiting for a turn is no try"
