"""Live events from every process to every process, in one order, none lost between."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.background import Background
from app.core.database import Database
from app.core.events import RESYNC, Event
from app.core.remembered import CHANNEL as FORGET
from app.models import LiveEvent

log = structlog.get_logger("greenroom.events")
CHANNEL = "greenroom_events"
KEPT_FOR = timedelta(minutes=10)
COALESCE_S = 0.1
MAX_WAITING = 10_000
LOOK_EVERY_S = 5.0
RETRY_S = (0.1, 0.5, 1.0, 2.0)
FETCHED_AT_ONCE = 1_000
HANDED_ON_AT_ONCE = 50
ORDER_LOCK = 7_302_412
# Under the lock, ids are given and committed in one order: who read up to one missed none before.
SEND = f"""
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock({ORDER_LOCK})),
stored AS (
    INSERT INTO live_events (room, type, data, origin)
    SELECT e.room, e.type, e.data, e.origin
    FROM turn, ROWS FROM (
        jsonb_to_recordset($1::jsonb) AS (room text, type text, data jsonb, origin text)
    ) WITH ORDINALITY AS e (room, type, data, origin, place)
    ORDER BY e.place
    RETURNING id
)
SELECT pg_notify('{CHANNEL}', max(id)::text) FROM stored
"""  # noqa: S608  (constants of ours)
READ = """
SELECT id, room, type, data, origin FROM live_events WHERE id > $1 ORDER BY id LIMIT $2
"""
EXTENT = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM live_events"
Connection = "asyncpg.Connection[asyncpg.Record]"
Subscriber = Callable[[Event], None]


class LiveEventService:
    """Upkeep of the events that were delivered."""

    resource = "live_events"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def prune(self) -> None:
        """Forget what every listener has heard, or is too late for."""
        old = LiveEvent.at < func.clock_timestamp() - KEPT_FOR
        await self.session.execute(delete(LiveEvent).where(old))


class EventSender(Background):
    """Takes events without waiting, and stores them a few times a second in one statement.

    Never part of a writing transaction: NOTIFY takes a lock of the whole database at commit.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Event] = []
        self._wake = asyncio.Event()

    def send(self, events: Sequence[Event]) -> None:
        """Queue them; when far too many wait, who listens is told to fetch everything instead."""
        if len(self._waiting) + len(events) > MAX_WAITING:
            self._waiting = [RESYNC]
        else:
            self._waiting.extend(events)
        self._wake.set()

    async def stop(self) -> None:
        """Send what waits, if the database takes it at once."""
        await super().stop()
        with suppress(Exception):  # a hint that is lost at the end heals at the next look
            await asyncio.wait_for(self.flush(), 2)

    async def _work(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            await asyncio.sleep(COALESCE_S if not failures else RETRY_S[min(failures, 4) - 1])
            try:
                await self.flush()
            except asyncpg.DataError:
                # What the database will never take must not hold up what comes after it.
                log.exception("live events cannot be stored", count=len(self._waiting))
                self._waiting = [RESYNC]
                self._wake.set()
            except Exception as error:  # noqa: BLE001  (the next try may well succeed)
                failures += 1
                self._wake.set()
                log.warning(
                    "live events wait", error=type(error).__name__, count=len(self._waiting)
                )
            else:
                failures = 0

    async def flush(self) -> None:
        """Store all that waits. Raises what keeps the database from taking it."""
        self._wake.clear()
        sending = list(self._waiting)
        if not sending:
            return
        # Equal events say the same thing: the last of them is enough.
        unique = {as_json(event): None for event in reversed(sending)}
        payload = f"[{','.join(reversed(list(unique)))}]"
        async with self._database.reading() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            if raw is None:
                raise RuntimeError("No driver connection.")
            await raw.execute(SEND, payload)
        # What came meanwhile stays for the next round.
        del self._waiting[: len(sending)]


def as_json(event: Event) -> str:
    fields = {"room": event.room, "type": event.type, "data": event.data, "origin": event.origin}
    return json.dumps(fields, sort_keys=True)


class EventListener(Background):
    """Hears the events of every process over one connection, and hands them on in order.

    After a lost connection it reads on from the last event it has handed on; when that is too
    long ago, ``RESYNC`` is handed on instead.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscribers: list[Subscriber] = []
        self._last_id: int | None = None
        self._wake = asyncio.Event()
        self.is_connected = False

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call it with each event; it must not wait, and what it raises is logged."""
        self._subscribers.append(subscriber)

    async def _work(self) -> None:
        failures = 0
        while True:
            try:
                async with self._database.dedicated() as connection:
                    failures = 0
                    await self._listen(connection)
            # A driver whose connection is cut raises whatever it trips over, internal errors too.
            except Exception as error:  # noqa: BLE001
                failures += 1
                log.warning("live events are not heard", error=type(error).__name__)
            finally:
                self._hears(now=False)
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])

    async def _listen(self, connection: Any) -> None:  # asyncpg is untyped
        """For ever, or until the connection is lost, which raises."""
        connection.add_termination_listener(lambda _: self._wake.set())
        connection.add_termination_listener(lambda _: self._hears(now=False))
        await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
        await connection.add_listener(
            FORGET, lambda *said: self._database.memories.changed([said[3]])
        )
        await self._take_up(connection)
        self._hears(now=True)
        while True:
            self._wake.clear()
            await self._catch_up(connection)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()

    def _hears(self, *, now: bool) -> None:
        """What is remembered is only right while changes are heard."""
        if now is not self.is_connected:
            self.is_connected = now
            self._database.memories.heard(is_heard=now)

    async def _take_up(self, connection: Any) -> None:  # asyncpg is untyped
        """Read on from the newest, or after a gap from where it began, if that is kept."""
        oldest, newest = await connection.fetchrow(EXTENT, timeout=LOOK_EVERY_S)
        if self._last_id is None:
            self._last_id = newest
        elif self._last_id > newest or self._last_id < oldest - 1:
            self._last_id = newest
            self._hand_on(RESYNC)

    async def _catch_up(self, connection: Any) -> None:  # asyncpg is untyped
        while True:
            rows = await connection.fetch(
                READ, self._last_id, FETCHED_AT_ONCE, timeout=LOOK_EVERY_S
            )
            for place, row in enumerate(rows, 1):
                self._hand_on(Event(row[1], row[2], json.loads(row[3]), row[4]))
                self._last_id = row[0]
                if place % HANDED_ON_AT_ONCE == 0:
                    await asyncio.sleep(0)  # those who send them on may do so in between
            if len(rows) < FETCHED_AT_ONCE:
                return

    def _hand_on(self, event: Event) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:  # one that fails must not deafen the others
                log.exception("an event was not taken", type=event.type)
