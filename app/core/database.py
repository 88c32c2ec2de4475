"""The engine, its sessions, and the only place that commits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self, TypeVar

import asyncpg
from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from app.core.batching import Batch
from app.core.config import Settings
from app.core.database_errors import UNAVAILABLE
from app.exceptions import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
READERS = 2  # connections for shared reads
AfterCommit = Callable[[], None]
AFTER_COMMIT = "after_commit"
# Without autoflush a row reaches the database only where a service says so, after it has noted
# for the audit what changes; a read in between would otherwise flush it unrecorded.
SESSION_OPTIONS: dict[str, Any] = {"expire_on_commit": False, "autoflush": False}


def make_engine(url: str, settings: Settings, **overrides: Any) -> AsyncEngine:  # engine options
    options: dict[str, Any] = {
        "echo": settings.log_sql,
        # Parameters are users' data: they belong in no log and no error message.
        "hide_parameters": True,
        "pool_pre_ping": True,
        "pool_size": settings.database_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.database_pool_timeout_s,
        "connect_args": {
            "timeout": 5,
            "server_settings": {
                "application_name": "greenroom",
                "timezone": "UTC",
                "statement_timeout": str(settings.statement_timeout_ms),
                "idle_in_transaction_session_timeout": "30000",
                # Short statements dominate here; compiling them costs more than it saves.
                "jit": "off",
            },
        },
    }
    engine = create_async_engine(url, **(options | overrides))
    event.listen(engine.sync_engine, "do_connect", connect)
    return engine


def connect(dialect: Any, _: object, args: Any, kwargs: Any) -> Any:  # as SQLAlchemy hands them on
    """Raise ``Unavailable`` for whatever keeps us from the database: socket, name, its refusal."""
    try:
        return dialect.connect(*args, **kwargs)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(UNAVAILABLE) from error


class Database:
    """One engine and the edge-owned unit of work over it."""

    def __init__(self, engine: AsyncEngine, reader: AsyncEngine | None = None) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, **SESSION_OPTIONS)
        self._reader = (reader or engine).execution_options(isolation_level="AUTOCOMMIT")
        self._batches: dict[Any, Batch[Any, Any]] = {}  # each of its own types

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        if settings.database_url is None:
            raise RuntimeError("DATABASE_URL is not set and no embedded database was started.")
        url = settings.database_url.get_secret_value()
        # A request that waits for a shared read may hold a connection of its own. Were both of
        # one pool, enough such requests would wait for themselves.
        reader = make_engine(url, settings, pool_size=READERS)
        return cls(make_engine(url, settings), reader)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends well and rolls back when it raises.

        Callables registered with ``after_commit`` run only once the commit has succeeded.
        """
        session = self._sessions()
        try:
            yield session
            if session.in_transaction():
                await session.commit()
        finally:
            await close(session)
        for callback in session.info.pop(AFTER_COMMIT, []):
            callback()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reads of one statement each, which need no BEGIN and no COMMIT."""
        async with self._reader.connect() as connection:
            yield connection

    async def read_together(
        self,
        read: Callable[[AsyncConnection, Collection[K]], Awaitable[Mapping[K, V]]],
        key: K,
    ) -> V | None:
        """``read(connection, {key, …})[key]``, asked once for all who ask at the same time."""
        batch = self._batches.get(read)
        if batch is None:

            async def lookup(keys: Collection[K]) -> Mapping[K, V]:
                async with self.reading() as connection:
                    return await read(connection, keys)

            batch = self._batches[read] = Batch(lookup)
        found: V | None = await batch.get(key)
        return found

    async def dispose(self) -> None:
        await self.engine.dispose()
        await self._reader.dispose()


async def close(session: AsyncSession) -> None:
    """Roll back what was not committed, also when the request is cancelled meanwhile."""
    if session.in_transaction():
        await asyncio.shield(asyncio.create_task(session.close()))
    else:
        # Nothing to tell the database, so no task and no greenlet need to wait for it.
        session.sync_session.close()


def after_commit(session: AsyncSession, callback: AfterCommit) -> None:
    """Run ``callback`` once this session's unit of work is committed."""
    session.info.setdefault(AFTER_COMMIT, []).append(callback)


async def database_now(session: AsyncSession) -> datetime:
    """The database's clock, which is the only one that expiry goes by."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now
