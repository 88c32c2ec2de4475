"""How checks ask: over a connection of their own, each statement bounded, nothing ever written."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from app.core.config import Settings
from app.core.database import Database
from app.core.texts import lazy
from app.services.operations.findings import Finding, Outcome, unknown

log = structlog.get_logger("greenroom.operations")
CONNECT_WITHIN_S = 3.0
STATEMENT_MS, LOCK_MS = 2_000, 300
# All checks together; those that are left are not asked any more.
WITHIN_S = 12.0
BOUNDS = (
    f"SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};"
    " SET default_transaction_read_only = on; SET application_name = 'greenroom operations'"
)
Row = Mapping[str, Any]  # a row as asyncpg hands it on
SLOW = unknown(
    lazy("took too long"), lazy("The database is too busy to say, or a lock is in the way.")
)
NOT_ASKED = unknown(lazy("not asked"), lazy("The checks before it took too long."))
NOT_ALLOWED = unknown(lazy("not allowed"), lazy("The role of DATABASE_URL may not read this."))
FAILED = unknown(lazy("could not be asked"), lazy("The server's log says why."))


@dataclass(frozen=True, slots=True)
class Asking:
    """One round of checks. ``here`` is what this process knows of itself, by name."""

    connection: "asyncpg.Connection[Any]"
    settings: Settings
    here: Mapping[str, Any] = field(default_factory=dict)  # of whatever type each is

    async def rows(self, statement: str, *values: Any) -> Sequence[Row]:
        found: Sequence[Row] = await self.connection.fetch(statement, *values)
        return found

    async def row(self, statement: str, *values: Any) -> Row:
        [found] = await self.rows(statement, *values)
        return found

    async def value(self, statement: str, *values: Any) -> Any:
        return await self.connection.fetchval(statement, *values)

    async def now(self) -> datetime:
        now: datetime = await self.value("SELECT clock_timestamp()")
        return now


@dataclass(frozen=True, slots=True)
class Check:
    """A finding before it is asked; ``help`` and ``href`` as in ``Finding``."""

    key: str
    group: str
    name: str
    ask: Callable[[Asking], Awaitable[Outcome]]
    help: str = "operations"
    href: str | None = None

    def found(self, outcome: Outcome) -> Finding:
        return Finding(
            self.key,
            self.group,
            self.name,
            outcome.state,
            outcome.figure,
            outcome.advice,
            self.help,
            self.href,
        )


@asynccontextmanager
async def asking(
    database: Database, settings: Settings, here: Mapping[str, Any] | None = None
) -> AsyncIterator[Asking]:
    """Outside the pools, so that it is answered when they are all in use.

    Raise ``Unavailable`` when there is no connection to be had.
    """
    async with database.dedicated(CONNECT_WITHIN_S) as connection:
        await connection.execute(BOUNDS)
        yield Asking(connection, settings, here or {})


async def bounded(ask: Awaitable[Any], otherwise: Any = None) -> Any:
    """What it finds; ``otherwise`` where the database does not say it in time."""
    try:
        async with asyncio.timeout(2 * STATEMENT_MS / 1000):
            return await ask
    except (asyncpg.PostgresError, TimeoutError) as error:
        log.warning("not found out", error=type(error).__name__)
        return otherwise


async def outcome_of(check: Check, asked: Asking) -> Outcome:
    """What it says, or why it says nothing: no check spoils the others."""
    try:
        async with asyncio.timeout(2 * STATEMENT_MS / 1000):
            return await check.ask(asked)
    except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, TimeoutError):
        return SLOW
    except asyncpg.InsufficientPrivilegeError:
        return NOT_ALLOWED
    except Exception as error:  # the others may well succeed
        log.warning("a check failed", check=check.key, error=type(error).__name__, exc_info=True)
        return FAILED


async def ask_all(checks: Sequence[Check], asked: Asking) -> list[Finding]:
    ends = time.monotonic() + WITHIN_S
    return [
        check.found(await outcome_of(check, asked) if time.monotonic() < ends else NOT_ASKED)
        for check in checks
    ]
