"""A copy of the database that takes the sums off it, while it keeps up.

PostgreSQL's streaming replication brings over every change a moment later. Nothing that decides who
may do what is read here, and nothing that somebody has just saved.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from app.core.background import Background
from app.core.config import Settings
from app.core.database import (
    SESSION_OPTIONS,
    Database,
    LookingSession,
    finishing,
    make_engine,
)
from app.exceptions import Unavailable

log = structlog.get_logger("greenroom.database")
ASK_EVERY_S = 1.0
AT_MOST_LATE_S = 5.0
# Positions in the write-ahead log, in bytes; of a server that is no replica the latter is null.
WRITTEN = text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
REPLAYED = text("SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint")


class ReadReplica(Background):
    """Asks every second whether the replica has what the database had five seconds ago."""

    def __init__(self, primary: Database, url: str, settings: Settings) -> None:
        self._primary = primary
        self._engine = make_engine(url, settings)
        alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(
            alone, sync_session_class=LookingSession, **SESSION_OPTIONS
        )
        self._written: deque[tuple[float, int]] = deque()
        self.keeps_up = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """For reads that need not be newer than five seconds."""
        async with finishing(self._sessions()) as session:
            yield session

    async def dispose(self) -> None:
        await self._engine.dispose()

    async def _work(self) -> None:
        while True:
            self._say(await self._has_caught_up())
            await asyncio.sleep(ASK_EVERY_S)

    def _say(self, keeps_up: bool) -> None:
        if keeps_up != self.keeps_up:
            log.info("the read replica keeps up" if keeps_up else "the read replica is left out")
        self.keeps_up = keeps_up

    async def _has_caught_up(self) -> bool:
        replayed = await position(self._engine.connect(), REPLAYED)
        # Not of those that requests wait for: they are all in use when the replica is needed most.
        written = await position(self._primary.reading(), WRITTEN)
        if replayed is None or written is None:
            return False
        now = time.monotonic()
        self._written.append((now, written))
        while len(self._written) > 1 and self._written[1][0] <= now - AT_MOST_LATE_S:
            self._written.popleft()
        return replayed >= self._written[0][1]


async def position(
    connecting: AbstractAsyncContextManager[AsyncConnection], asked: TextClause
) -> int | None:
    """``None`` from a server that does not answer, and from one that is not what was meant."""
    try:
        async with connecting as connection:
            found: int | None = (await connection.execute(asked)).scalar_one()
            return found
    except (SQLAlchemyError, OSError, Unavailable):
        return None


def read_replica(database: Database, settings: Settings) -> ReadReplica | None:
    url = settings.database_read_url
    return ReadReplica(database, url.get_secret_value(), settings) if url else None
