"""Notices in under a second that the database is gone or silent, and that it is back.

Without it a request that meets a silent database waits for its statement timeout, and everyone
who waits for a connection waits behind it.
"""

import asyncio
from typing import Any

import structlog

from app.core.background import Background
from app.core.database import Database
from app.core.texts import lazy
from app.exceptions import Unavailable

log = structlog.get_logger("greenroom.database")
ASK_EVERY_S = 0.1
SILENT_AFTER_S = 0.5
# An event loop that was held up itself finds the answer waiting when it looks a moment later.
GRACE_S = 0.2
CONNECT_WITHIN_S = 1.0


class DatabaseWatch(Background):
    """Asks one connection of its own a few times a second; one for each process.

    While the database does not answer, units of work are refused at once, and those that wait for
    an answer are cut off.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _work(self) -> None:
        while True:
            try:
                async with self._database.dedicated(CONNECT_WITHIN_S) as connection:
                    await self._ask(connection)
                    self._found()
                    while True:
                        await asyncio.sleep(ASK_EVERY_S)
                        await self._ask(connection)
            except Unavailable:
                self._lost()
            await asyncio.sleep(ASK_EVERY_S)

    async def _ask(self, connection: Any) -> None:  # asyncpg is untyped
        """Raise ``Unavailable`` when there is no answer in time."""
        asking = asyncio.ensure_future(connection.execute("SELECT 1"))
        await asyncio.wait([asking], timeout=SILENT_AFTER_S)
        if not asking.done():
            await asyncio.wait([asking], timeout=GRACE_S)
        if not asking.done():
            asking.cancel()
            raise Unavailable(lazy("The database is silent."))
        if asking.exception() is not None:
            raise Unavailable(lazy("The database has closed the connection."))

    def _found(self) -> None:
        if self._database.is_down:
            log.info("the database answers again")
        self._database.is_down = False

    def _lost(self) -> None:
        if not self._database.is_down:
            log.error("the database does not answer")
        self._database.is_down = True
        self._database.cut_off()
