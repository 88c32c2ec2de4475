"""Alembic from inside the process: bring the database to head, or say how far it is."""

import asyncio
from functools import lru_cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from asyncpg.exceptions import DeadlockDetectedError, LockNotAvailableError
from sqlalchemy import Connection, func, make_url, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.config import PROJECT_ROOT, Settings
from app.core.database import Database
from app.core.database_errors import cause_of
from app.core.partitions import ensure_partitions
from app.core.texts import lazy
from app.exceptions import Conflict, Invalid, Unavailable

# Any number; it only has to be the same for every process that migrates.
MIGRATION_LOCK = 7_302_411
IN_THE_WAY = (LockNotAvailableError, DeadlockDetectedError)
# Whoever waits for a table that a migration waits for waits no longer than this. Then it steps
# aside, lets them through, and tries that migration again.
LOCK_TIMEOUT = "2s"
TRIES, PAUSE_S = 30, 1.0
NEWER = (
    "The database is at migration {current}, which this version does not know: a newer "
    "one made it. Run that version, or let that version go back first: python -m app migrate {head}"
)
HELD = "Something holds a table for longer than a migration waits. Try again when it is quieter."
# Where everything that is ours lies.
SCHEMAS = ("public", "pgqueuer")
GRANTS = (
    # Databases made before PostgreSQL 15 let every role make tables.
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}",
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "GRANT USAGE ON SCHEMA pgqueuer TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgqueuer TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA pgqueuer TO {role}",
    "GRANT EXECUTE ON FUNCTION make_partitions(), drop_month(text, date) TO {role}",
    "GRANT EXECUTE ON FUNCTION erase_in_audit(jsonb) TO {role}",
    "REVOKE UPDATE, DELETE, TRUNCATE ON audit_events, audit_seals FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_erasures FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version FROM {role}",
)
CLOSED = (
    "REVOKE EXECUTE ON FUNCTION make_partitions(), drop_month(text, date), "
    "erase_in_audit(jsonb) FROM PUBLIC"
)


def alembic_config() -> Config:
    return Config(toml_file=PROJECT_ROOT / "pyproject.toml")


@lru_cache(maxsize=1)
def head_revision() -> str | None:
    """The version of the code that runs: files that an upgrade puts beside it change nothing."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@lru_cache(maxsize=1)
def known_revisions() -> frozenset[str]:
    """Every one that this version's files lead through; read once, as the head is."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def is_newer(current: str | None) -> bool:
    """Whether another version made it, as the next one does during an upgrade."""
    return current is not None and current not in known_revisions()


def _known_current(connection: Connection) -> str | None:
    current = _current(connection)
    if is_newer(current):
        raise Conflict(NEWER.format(current=current, head=head_revision()))
    return current


async def is_new_enough(engine: AsyncEngine) -> bool:
    """At head, or further: while an upgrade rolls on, the version before it goes on serving."""
    async with engine.connect() as connection:
        current = await connection.run_sync(_current)
    return current == head_revision() or is_newer(current)


async def is_at_head(engine: AsyncEngine) -> bool:
    """Raise ``Conflict`` when it is further than this version knows."""
    async with engine.connect() as connection:
        return await connection.run_sync(_known_current) == head_revision()


def _migrate(connection: Connection, revision: str) -> None:
    """Forward or back, wherever ``revision`` lies. Raise ``Conflict`` or ``Invalid``."""
    current = _known_current(connection)
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        way = command.downgrade if _lies_behind(revision, current) else command.upgrade
        way(config, revision)
    except CommandError as error:
        raise Invalid(f"There is no migration {revision}.") from error


def _lies_behind(revision: str, current: str | None) -> bool:
    if revision == "base" or revision[:1] in ("-", "+"):
        return not revision.startswith("+")
    scripts = ScriptDirectory.from_config(alembic_config())
    passed = {script.revision for script in scripts.iterate_revisions(current, "base")}
    wanted = scripts.get_revision(revision)
    return wanted is not None and wanted.revision != current and wanted.revision in passed


async def _migrate_in_turn(connection: AsyncConnection, revision: str) -> None:
    """Each migration is a transaction: what is done stays done when a later one has to wait.

    Raise ``Unavailable`` when a table was held all the time.
    """
    for _ in range(TRIES):
        try:
            await connection.run_sync(_migrate, revision)
            await connection.commit()
        except DBAPIError as error:
            await connection.rollback()
            if not isinstance(cause_of(error), IN_THE_WAY):
                raise
            await asyncio.sleep(PAUSE_S)
        else:
            return
    raise Unavailable(HELD)


async def grant(connection: AsyncConnection, role: str) -> None:
    """What the running product may do: everything with rows, but only add to the audit log.

    Raise ``Unavailable`` when there is no such role.
    """
    name = await connection.scalar(select(func.quote_ident(role)))
    if role == await connection.scalar(text("SELECT current_user")):
        return
    if not await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": role}):
        raise Unavailable(
            lazy(
                "DATABASE_URL names the role %(role)s, which the database does not have.", role=role
            )
        )
    database = await connection.scalar(select(func.quote_ident(func.current_database())))
    for statement in GRANTS:
        await connection.execute(text(statement.format(role=name, database=database)))


async def migrate(engine: AsyncEngine, revision: str = "head", app_role: str | None = None) -> None:
    """Run migrations, one process at a time, then make the coming months' partitions.

    ``app_role`` gets the rights that the running product needs.
    """
    async with engine.connect() as connection:
        # A migration takes as long as it takes; alembic/env.py bounds what it locks.
        await connection.execute(text("SET statement_timeout = 0"))
        await connection.execute(text("SET lock_timeout = 0"))
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        await connection.commit()
        try:
            await _migrate_in_turn(connection, revision)
            if revision == "head":
                await ensure_partitions(connection)
                # Rights are in no backup: a restored database is closed here again.
                await connection.execute(text(CLOSED))
                if app_role is not None:
                    await grant(connection, app_role)
                await connection.commit()
        finally:
            await connection.rollback()
            await connection.execute(
                text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK}
            )
            await connection.commit()


async def migrate_as_owner(settings: Settings, revision: str = "head") -> None:
    """Migrate by MIGRATION_DATABASE_URL, and give DATABASE_URL's role what it needs."""
    app_url = make_url(settings.database_url.get_secret_value()) if settings.database_url else None
    async with Database.opened(settings.for_migrations()) as database:
        await migrate(database.engine, revision, app_url.username if app_url else None)
