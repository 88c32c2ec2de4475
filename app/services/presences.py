"""Who else is here: people on a page, whichever process their sockets are in."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Boolean, delete, func, literal_column, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.background import Background
from app.core.database import Database
from app.core.events import Event, publish
from app.models import Presence, User
from app.models.base import table_of

log = structlog.get_logger("greenroom.presence")
BEAT_EVERY_S = 5.0
TOGETHER_S = 0.05
# Who goes from one page to the next comes back within this, and was never away.
LINGER_S = 1.0
# Three beats may fail before someone is taken for gone.
OVER_AFTER = timedelta(seconds=BEAT_EVERY_S * 3)
SHOWN = 12
PRESENCE = table_of(Presence)
IS_OVER = PRESENCE.c.seen_at < func.clock_timestamp() - OVER_AFTER
RENEW = (
    insert(PRESENCE)
    .on_conflict_do_update(
        index_elements=[PRESENCE.c.socket_id, PRESENCE.c.room],
        set_={"seen_at": func.clock_timestamp()},
    )
    # A row that was there before has been locked to be updated; a new one has not.
    .returning(PRESENCE.c.room, literal_column("xmax = 0", Boolean))
)
Place = tuple[str, str]  # socket, room


class PresenceService:
    """Presence is no change of anything, so it has no audit event."""

    resource = "presences"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def others(self, room: str) -> Sequence[str]:
        """The names of who else is in the room, ``SHOWN`` at most."""
        here = select(Presence.user_id).where(Presence.room == room, ~IS_OVER)
        statement = (
            select(User.full_name)
            .where(User.id.in_(here), User.id != self.actor.user_id)
            .order_by(User.full_name, User.id)
            .limit(SHOWN)
        )
        return (await self.session.scalars(statement)).all()


class PresenceKeeper(Background):
    """Tells the database who is in the rooms of this process, again and again.

    When the process ends without a word, others take its people out after ``OVER_AFTER``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process_id = uuid4()
        self._here: dict[Place, int] = {}
        self._gone: set[Place] = set()
        self._wake = asyncio.Event()

    def enter(self, socket_id: str, room: str, user_id: int) -> None:
        self._here[socket_id, room] = user_id
        self._gone.discard((socket_id, room))
        self._wake.set()

    def leave(self, socket_id: str, rooms: Iterable[str]) -> None:
        for room in rooms:
            if self._here.pop((socket_id, room), None) is not None:
                self._gone.add((socket_id, room))
                asyncio.get_running_loop().call_later(LINGER_S, self._wake.set)

    async def stop(self) -> None:
        """Take out everyone of this process, if the database is there."""
        await super().stop()
        with suppress(Exception):  # the others will notice
            async with asyncio.timeout(2), self._database.unit_of_work() as session:
                own = PRESENCE.c.process_id == self._process_id
                await self._take_out(session, own)

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_EVERY_S):
                    await self._wake.wait()
                await asyncio.sleep(TOGETHER_S)
            self._wake.clear()
            try:
                await self._beat()
            except Exception as error:  # noqa: BLE001  (the next beat may well succeed)
                log.warning("presence is not kept", error=type(error).__name__)

    async def _beat(self) -> None:
        gone = set(self._gone)
        async with self._database.unit_of_work() as session:
            if gone:
                place = tuple_(PRESENCE.c.socket_id, PRESENCE.c.room)
                await self._take_out(session, place.in_(gone))
            if self._here:
                await self._renew(session)
            stale = select(PRESENCE.c.socket_id, PRESENCE.c.room).where(IS_OVER)
            place = tuple_(PRESENCE.c.socket_id, PRESENCE.c.room)
            await self._take_out(session, place.in_(stale.with_for_update(skip_locked=True)))
        # Who came back meanwhile is here again.
        self._gone -= gone

    async def _renew(self, session: AsyncSession) -> None:
        rows = [
            {"socket_id": socket_id, "room": room, "user_id": user, "process_id": self._process_id}
            for (socket_id, room), user in sorted(self._here.items())
        ]
        found = await session.execute(RENEW.values(rows))
        announce(session, {room for room, is_new in found if is_new})

    @staticmethod
    async def _take_out(session: AsyncSession, which: Any) -> None:  # a condition
        statement = delete(PRESENCE).where(which).returning(PRESENCE.c.room)
        announce(session, set(await session.scalars(statement)))


def announce(session: AsyncSession, rooms: Iterable[str]) -> None:
    publish(session, *(Event(room, "presence") for room in sorted(rooms)))
