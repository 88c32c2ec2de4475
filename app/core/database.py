"""The engine, its sessions, and the only place that commits."""

import asyncio
import math
import os
import platform
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary, WeakSet

import asyncpg
from sqlalchemy import Engine, event, func, select
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, Pool

from app.core.batching import Batch
from app.core.config import Settings
from app.core.database_errors import UNAVAILABLE, as_app_error
from app.core.events import PENDING, Outbox, discard
from app.core.remembered import Memories
from app.exceptions import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
PINGED_AFTER_S = 1.0
CONNECT_WITHIN_S = 2.0
# Whoever waits so long for a row waits for something that is stuck.
LOCK_TIMEOUT_MS = 2_000
READERS, CLAIMERS = 2, 2  # connections for shared reads, and for units of work beside others
WARM = 4  # of each pool: enough to answer with while the others are being opened
BeforeCommit = Callable[[AsyncSession], Awaitable[None]]
AfterCommit = Callable[[], None]
BEFORE_COMMIT, AFTER_COMMIT = "before_commit", "after_commit"
CHANGED_TABLES, MEMORIES = "changed_tables", "memories"
# Without autoflush a row reaches the database only where a service says so, after it has noted
# for the audit what changes; a read in between would otherwise flush it unrecorded.
SESSION_OPTIONS: dict[str, Any] = {"expire_on_commit": False, "autoflush": False}


def process_name() -> str:
    """What the database calls this process: ``greenroom web-1:4711``."""
    return f"greenroom {platform.node()[:40]}:{os.getpid()}"


class WatchedPool(AsyncAdaptedQueuePool):
    """Knows how often, and how long in all, somebody waited for a connection."""

    waits = 0
    waited_s = 0.0

    def _do_get(self) -> ConnectionPoolEntry:
        if self.checkedin() or self.overflow() < self._max_overflow:
            return super()._do_get()
        started = time.monotonic()
        try:
            return super()._do_get()
        finally:
            self.waits += 1
            self.waited_s += time.monotonic() - started


def make_engine(url: str, settings: Settings, **overrides: Any) -> AsyncEngine:  # engine options
    options: dict[str, Any] = {
        # Parameters are users' data: they belong in no log and no error message.
        "hide_parameters": True,
        "poolclass": WatchedPool,
        "pool_pre_ping": True,
        "pool_size": settings.database_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.database_pool_timeout_s,
        "connect_args": {
            "timeout": CONNECT_WITHIN_S,
            "server_settings": {
                "application_name": process_name(),
                "timezone": "UTC",
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "statement_timeout": str(settings.statement_timeout_ms),
                "idle_in_transaction_session_timeout": "30000",
                # Short statements dominate here; compiling them costs more than it saves.
                "jit": "off",
            },
        },
    }
    engine = create_async_engine(url, **(options | overrides))
    ping_the_idle(engine.sync_engine)
    return engine


def ping_the_idle(engine: Engine) -> None:
    """Ask only connections that rested for a while whether they live.

    One that was in use a moment ago knows by its socket when the server has gone, and a ping is
    three round trips, as many as the whole of a read.
    """
    ask = engine.dialect.do_ping
    used: WeakKeyDictionary[Any, float] = WeakKeyDictionary()  # by the driver's connection

    def note(connection: Any, _: object) -> None:  # as SQLAlchemy hands it on; None when it broke
        if connection is not None:
            used[connection.driver_connection] = time.monotonic()

    def ping(connection: Any) -> bool:  # as SQLAlchemy hands it on
        driver = connection.driver_connection
        rested_s = time.monotonic() - used.get(driver, -math.inf)
        return (rested_s < PINGED_AFTER_S and not driver.is_closed()) or ask(connection)

    event.listen(engine, "checkin", note)
    vars(engine.dialect)["do_ping"] = ping  # this engine's dialect alone


UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)  # socket, name, refusal


class LookingSession(Session):
    """Refuses to flush: what belongs together could come apart without a transaction."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        if self.new or self.dirty or self.deleted:
            raise RuntimeError("A request that only looks has changed a row.")


@asynccontextmanager
async def finishing(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Commit at a good end; else roll back, also when the request is cancelled meanwhile."""
    try:
        yield session
        if session.in_transaction():
            await session.commit()
    finally:
        if session.in_transaction():
            await asyncio.shield(asyncio.create_task(session.close()))
        else:
            # Nothing to tell the database, so no task and no greenlet need to wait for it.
            session.sync_session.close()


class Database:
    """One engine and the edge-owned unit of work over it.

    ``outbox`` takes the live events of each unit of work after its commit.
    """

    outbox: Outbox = staticmethod(discard)
    # Said by the watch of a server or worker; commands wait for the database as long as it takes.
    is_down = False

    def __init__(
        self,
        engine: AsyncEngine,
        reader: AsyncEngine | None = None,
        claimer: AsyncEngine | None = None,
    ) -> None:
        self.engine = engine
        self._claimer = claimer or engine
        self._claims = async_sessionmaker(self._claimer, **SESSION_OPTIONS)
        self._sessions = async_sessionmaker(engine, **SESSION_OPTIONS)
        alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lookers = async_sessionmaker(
            alone, sync_session_class=LookingSession, **SESSION_OPTIONS
        )
        self._reader = (reader or engine).execution_options(isolation_level="AUTOCOMMIT")
        self._batches: dict[Any, Batch[Any, Any]] = {}  # each of its own types
        self.memories = Memories()
        self._connections: WeakSet[asyncpg.Connection] = WeakSet()
        self.engines = {engine, reader or engine, self._claimer}
        for pooled in self.engines:
            event.listen(pooled.sync_engine, "do_connect", self._connect)
            event.listen(pooled.sync_engine, "connect", self._note_connection)

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """For the block only, as a command needs it."""
        database = cls.from_settings(settings)
        try:
            yield database
        finally:
            await database.dispose()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        if settings.database_url is None:
            raise RuntimeError("DATABASE_URL is not set and no embedded database was started.")
        url = settings.database_url.get_secret_value()
        # A request that waits for a shared read may hold a connection of its own. Were both of
        # one pool, enough such requests would wait for themselves.
        reader = make_engine(url, settings, pool_size=READERS)
        claimer = make_engine(url, settings, pool_size=CLAIMERS)
        return cls(make_engine(url, settings), reader, claimer)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends well and rolls back when it raises.

        Callables registered with ``before_commit`` are part of it; those registered with
        ``after_commit`` run only once the commit has succeeded.
        """
        self.require_up()
        async with finishing(self._sessions()) as session:
            session.info[MEMORIES] = self.memories
            yield session
            for finish in session.info.pop(BEFORE_COMMIT, []):
                await finish(session)
        self.memories.changed(session.info.pop(CHANGED_TABLES, ()))
        for callback in session.info.pop(AFTER_COMMIT, []):
            callback()
        if events := session.info.pop(PENDING, []):
            self.outbox(events)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[AsyncSession]:
        """A short unit of work of its own, while the request may hold a connection already.

        On connections of its own, or requests could fill the pool and wait for each other.
        """
        self.require_up()
        async with finishing(self._claims()) as session:
            yield session

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[AsyncSession]:
        """A session that changes no rows of its own: each statement stands for itself.

        Statements see what is committed when they start, as in a unit of work, without the round
        trips of its BEGIN and COMMIT.
        """
        self.require_up()
        async with finishing(self._lookers()) as session:
            session.info[MEMORIES] = self.memories
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for shared reads, of which no request holds another one meanwhile."""
        self.require_up()
        async with self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def dedicated(self, within_s: float = 5) -> AsyncIterator[asyncpg.Connection]:
        """A connection of one's own, outside the pools: to listen on, or to claim jobs by.

        Raise ``Unavailable`` when there is none to be had.
        """
        _, options = self.engine.dialect.create_connect_args(self.engine.url)
        try:
            connection = await asyncpg.connect(
                timeout=within_s, server_settings={"application_name": process_name()}, **options
            )
        except UNREACHABLE as error:
            raise Unavailable(UNAVAILABLE) from error
        try:
            yield connection
        finally:
            # It may hang with its server; nothing of it is needed any more.
            connection.terminate()

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

    async def warm_up(self) -> None:
        """Open connections before anyone is let in, who would wait for them with everybody else.

        A database that is not there yet is no reason not to start.
        """
        try:
            async with AsyncExitStack() as held:
                for engine in self.engines:
                    for _ in range(min(WARM, engine.pool.size())):  # type: ignore[attr-defined]
                        await held.enter_async_context(engine.connect())
        except Exception as error:
            if as_app_error(error) is None:
                raise

    def require_up(self) -> None:
        """Raise ``Unavailable`` at once while it is known that nobody would answer."""
        if self.is_down:
            raise Unavailable(UNAVAILABLE)

    def cut_off(self) -> None:
        """End every pooled connection: who waits on one gets an error now instead of later."""
        for connection in list(self._connections):
            connection.terminate()

    def _connect(self, dialect: Any, _: object, args: Any, kwargs: Any) -> Any:
        """Raise ``Unavailable`` for whatever keeps us from the database."""
        self.require_up()
        try:
            # One that is not known to be down may only be short of processor time.
            with suppress(TimeoutError):
                return dialect.connect(*args, **kwargs)
            self.require_up()
            return dialect.connect(*args, **kwargs)
        except (*UNREACHABLE, dialect.dbapi.Error) as error:  # which it wraps refusals in
            raise Unavailable(UNAVAILABLE) from error

    def _note_connection(self, connection: Any, _: object) -> None:  # as SQLAlchemy hands it on
        self._connections.add(connection.driver_connection)

    def pools(self) -> dict[str, Pool]:
        """By what they are for."""
        engines = {"work": self.engine, "reads": self._reader, "claims": self._claimer}
        return {name: engine.pool for name, engine in engines.items()}

    async def dispose(self) -> None:
        await self.engine.dispose()
        await self._reader.dispose()
        await self._claimer.dispose()


async def hand_back(session: AsyncSession) -> None:
    """Commit what is done so far and keep no connection, before a wait for work of others.

    They need connections, too: were all held by who waits for them, nobody would go on. Raise
    ``RuntimeError`` where there is something to be done at the end of the unit of work.
    """
    if session.info.keys() & {BEFORE_COMMIT, AFTER_COMMIT, PENDING}:
        raise RuntimeError("What belongs to one change would be committed apart.")
    if session.in_transaction():
        await session.commit()


@event.listens_for(Session, "after_flush")
def note_changed_tables(session: Session, _: object) -> None:
    """This process forgets before it answers; it does not wait for the database to tell it."""
    changed = {row.__tablename__ for row in (*session.new, *session.dirty, *session.deleted)}
    session.info.setdefault(CHANGED_TABLES, set()).update(changed)


def before_commit(session: AsyncSession, callback: BeforeCommit) -> None:
    """Do what is better done for all changes of the unit of work together, at its end."""
    session.info.setdefault(BEFORE_COMMIT, []).append(callback)


def memories_of(session: AsyncSession) -> Memories:
    """What the process that this session belongs to remembers."""
    memories: Memories = session.info.setdefault(MEMORIES, Memories())
    return memories


def after_commit(session: AsyncSession, callback: AfterCommit) -> None:
    """Run ``callback`` once this session's unit of work is committed."""
    session.info.setdefault(AFTER_COMMIT, []).append(callback)


@asynccontextmanager
async def beside(session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """A session in the same transaction whose rows are its own: nothing in it is ever flushed."""
    connection = await session.connection()
    apart = AsyncSession(
        connection, autoflush=False, expire_on_commit=False, join_transaction_mode="rollback_only"
    )
    try:
        yield apart
    finally:
        apart.expunge_all()
        await apart.close()


async def database_now(session: AsyncSession) -> datetime:
    """The database's clock, which is the only one that expiry goes by."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now
