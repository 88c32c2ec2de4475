"""Who else is here: across processes, without those who left, and without those of a crash."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from app.core.actor import Via
from app.core.database import Database
from app.core.events import Event
from app.core.permissions import Role
from app.models import User
from app.services.presences import PresenceKeeper, PresenceService
from tests.conftest import actor_for
from tests.factories.users import make_user

ROOM = "presence:agent:7"
SAID = Event(ROOM, "presence")
LEFT_BEHIND = text(
    "INSERT INTO presences (socket_id, room, user_id, process_id)"
    " VALUES ('lost', :room, :user, gen_random_uuid())"
)


@asynccontextmanager
async def keeper(database: Database) -> AsyncIterator[PresenceKeeper]:
    """As a process has it."""
    kept = PresenceKeeper(database)
    kept.start()
    yield kept
    await kept.stop()


async def people(database: Database, count: int) -> list[User]:
    async with database.unit_of_work() as session:
        return [await make_user(session, Role.STAFF) for _ in range(count)]


async def others(database: Database, user: User) -> list[str]:
    async with database.unit_of_work() as session:
        service = PresenceService(session, actor_for(user, Via.PAGE))
        return list(await service.others(ROOM))


async def until(database: Database, user: User, names: list[str]) -> None:
    async with asyncio.timeout(15):
        while await others(database, user) != sorted(names):  # noqa: ASYNC110  (asks the database)
            await asyncio.sleep(0.02)


async def test_people_see_each_other_across_processes_until_they_leave(
    own_database: Database,
) -> None:
    said: list[Event] = []
    own_database.outbox = said.extend
    ada, bob, eve = await people(own_database, 3)
    async with keeper(own_database) as one, keeper(own_database) as two:
        one.enter("s1", ROOM, ada.id)
        one.enter("s2", ROOM, ada.id)
        two.enter("s3", ROOM, bob.id)
        two.enter("s4", "presence:agent:8", eve.id)
        await until(own_database, ada, [bob.full_name])
        await until(own_database, bob, [ada.full_name])
        await until(own_database, eve, [ada.full_name, bob.full_name])
        one.leave("s1", [ROOM])
        two.leave("s3", [ROOM, "agents"])
        await until(own_database, ada, [])
        await until(own_database, bob, [ada.full_name])
    assert await others(own_database, bob) == []
    assert said.count(SAID) >= 3


async def test_people_of_a_process_that_crashed_are_gone_soon(own_database: Database) -> None:
    said: list[Event] = []
    own_database.outbox = said.extend
    ada, bob = await people(own_database, 2)
    async with own_database.unit_of_work() as session:
        await session.execute(LEFT_BEHIND, {"room": ROOM, "user": ada.id})
    assert await others(own_database, bob) == [ada.full_name]
    async with own_database.unit_of_work() as session:
        await session.execute(text("UPDATE presences SET seen_at = now() - interval '16 seconds'"))
    assert await others(own_database, bob) == []
    async with keeper(own_database) as alive:
        alive.enter("s2", "presence:agent:8", bob.id)  # its beat looks for those that are over
        async with asyncio.timeout(15):
            while SAID not in said:  # noqa: ASYNC110  (what another task appends to)
                await asyncio.sleep(0.02)


async def test_presence_comes_back_by_itself_after_the_table_was_lost(
    own_database: Database,
) -> None:
    ada, bob = await people(own_database, 2)
    async with keeper(own_database) as one:
        one.enter("s1", ROOM, ada.id)
        await until(own_database, bob, [ada.full_name])
        async with own_database.unit_of_work() as session:
            await session.execute(text("DELETE FROM presences"))
        one.enter("s2", "presence:agent:8", ada.id)
        await until(own_database, bob, [ada.full_name])
