"""A database that is up, but slow to let somebody in."""

import asyncio
from asyncio import Queue, StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from app.core import database as databases
from app.core.database import Database
from app.exceptions import Unavailable
from tests.conftest import settings_for


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[int, Queue[StreamWriter]]]:
    """The port of a server that takes connections and says nothing, and who called there."""
    callers: Queue[StreamWriter] = Queue()

    async def take(reader: StreamReader, writer: StreamWriter) -> None:
        callers.put_nowait(writer)
        await reader.read()  # until the caller gives up
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], callers
    server.close()


@pytest.mark.parametrize(("is_down", "more_tries"), [(False, 1), (True, 0)])
async def test_connecting_is_tried_again_unless_the_database_is_known_to_be_down(
    monkeypatch: pytest.MonkeyPatch, is_down: bool, more_tries: int
) -> None:
    monkeypatch.setattr(databases, "CONNECT_WITHIN_S", 0.1)
    async with silent_server() as (port, callers):
        url = f"postgresql+asyncpg://greenroom@127.0.0.1:{port}/greenroom"
        database = Database.from_settings(settings_for(url))
        opening = asyncio.create_task(ask(database))
        await callers.get()
        database.is_down = is_down  # as its watch finds meanwhile
        with pytest.raises(Unavailable):
            await opening
        await database.dispose()
        assert callers.qsize() == more_tries


async def ask(database: Database) -> None:
    async with database.unit_of_work() as session:
        await session.execute(text("SELECT 1"))
