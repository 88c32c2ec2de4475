"""Events of every process reach every process once, in one order, through lost connections too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from app.core.database import Database
from app.core.events import RESYNC, Event, publish
from app.services import live_events
from app.services.live_events import EventListener, EventSender
from tests.conftest import settings_for

END = Event("test", "end")


class Heard(list[Event]):
    """What a process heard, until the end was said ``ends`` times."""

    def __init__(self, ends: int = 1) -> None:
        super().__init__()
        self.missing = ends
        self.done = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.append(event)
        self.missing -= event.type == END.type
        if not self.missing:
            self.done.set()

    @property
    def counts(self) -> list[int]:
        return [event.data["n"] for event in self if event.type == "count"]


@asynccontextmanager
async def process(database: Database, heard: Heard) -> AsyncIterator[Database]:
    """As a web server does it: pools, a sender and a listener of its own."""
    url = database.engine.url.render_as_string(hide_password=False)
    own = Database.from_settings(settings_for(url))
    sender, listener = EventSender(own), EventListener(own)
    own.outbox = sender.send
    listener.subscribe(heard)
    sender.start()
    listener.start()
    while not listener.is_connected:  # noqa: ASYNC110  (a flag of another task)
        await asyncio.sleep(0.01)
    yield own
    await listener.stop()
    await sender.stop()
    await own.dispose()


async def say(database: Database, *events: Event) -> None:
    async with database.unit_of_work() as session:
        publish(session, *events)


async def test_two_processes_hear_all_events_in_the_same_order(own_database: Database) -> None:
    first, second = Heard(2), Heard(2)
    async with process(own_database, first) as one, process(own_database, second) as two:
        for n in range(50):
            await say(one, Event("test", "count", {"n": 2 * n}))
            await say(two, Event("test", "count", {"n": 2 * n + 1}))
            await asyncio.sleep(0.01)
        await say(one, END)
        await say(two, END)
        async with asyncio.timeout(20):
            await first.done.wait()
            await second.done.wait()
    assert list(first) == list(second)
    assert sorted(first.counts) == list(range(100))
    assert [n for n in first.counts if n % 2 == 0] == list(range(0, 100, 2))


async def test_nothing_is_lost_when_listeners_are_cut_off(own_database: Database) -> None:
    heard = Heard()
    async with process(own_database, heard) as one:
        for n in range(20):
            await say(one, Event("test", "count", {"n": n}))
            if n % 5 == 0:
                async with own_database.unit_of_work() as session:
                    await session.execute(CUT_OFF)
            await asyncio.sleep(0.05)
        await say(one, END)
        async with asyncio.timeout(20):
            await heard.done.wait()
    assert heard.counts == list(range(20))


CUT_OFF = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND query LIKE '%FROM live_events%'"
)


async def test_event_of_a_change_that_fails_is_never_heard(own_database: Database) -> None:
    heard = Heard()

    async def fail(database: Database) -> None:
        async with database.unit_of_work() as session:
            publish(session, Event("test", "count", {"n": 1}))
            raise ValueError

    async with process(own_database, heard) as one:
        try:
            await fail(one)
        except ValueError:
            await say(one, END)
        async with asyncio.timeout(20):
            await heard.done.wait()
    assert heard == [END]


async def test_large_events_arrive_whole(own_database: Database) -> None:
    heard = Heard()
    large = Event("test", "text", {"text": "ü" * 50_000})
    async with process(own_database, heard) as one:
        await say(one, large, END)
        async with asyncio.timeout(20):
            await heard.done.wait()
    assert heard == [large, END]


async def test_far_too_many_events_become_one_call_to_fetch_again(own_database: Database) -> None:
    heard = Heard()
    async with process(own_database, heard) as one:
        one.outbox([Event("test", "count", {"n": n}) for n in range(live_events.MAX_WAITING + 1)])
        await asyncio.sleep(0)
        await say(one, END)
        async with asyncio.timeout(20):
            await heard.done.wait()
    assert list(heard) == [RESYNC, END]


async def test_event_that_cannot_be_stored_holds_up_no_other(own_database: Database) -> None:
    heard = Heard()
    async with process(own_database, heard) as one:
        one.outbox([Event("test", "count", {"n": "\x00"})])
        while RESYNC not in heard:  # noqa: ASYNC110  (what another task appends to)
            await asyncio.sleep(0.01)
        await say(one, END)
        async with asyncio.timeout(20):
            await heard.done.wait()
    assert list(heard) == [RESYNC, END]
