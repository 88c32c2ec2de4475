"""The product's role reads and writes rows, changes no schema; older data folders still start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.bootstrap import create_superuser
from app.cli import at_head, prepare
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import APP_ROLE, EmbeddedPostgres
from app.core.migrations import grant, migrate
from app.exceptions import Unavailable
from app.services.audit_seals import AuditSealService
from app.services.upkeep import UpkeepService
from tests.conftest import settings_for


def as_application(database: Database) -> Settings:
    url = database.engine.url
    settings = settings_for(url.set(username=APP_ROLE).render_as_string(hide_password=False))
    owner = SecretStr(url.render_as_string(hide_password=False))
    return settings.model_copy(update={"migration_database_url": owner})


@pytest.fixture
async def limited(own_database: Database) -> AsyncIterator[Database]:
    """The database as the product's role sees it."""
    await migrate(own_database.engine, app_role=APP_ROLE)
    database = Database.from_settings(as_application(own_database))
    yield database
    await database.dispose()


async def test_application_writes_rows_and_adds_to_the_log(limited: Database) -> None:
    await create_superuser(limited, "ada@example.com", "Correct-Horse-7")
    async with limited.unit_of_work() as session:
        await session.execute(text("UPDATE users SET full_name = 'Ada'"))
        await session.execute(text("DELETE FROM users"))
        seals = AuditSealService(session, settings_for("postgresql+asyncpg://"))
        assert await seals.seal() == 1


async def test_application_makes_the_partitions_of_coming_months(
    own_database: Database, limited: Database
) -> None:
    newest = text("SELECT max(relname) FROM pg_class WHERE relname LIKE 'spans_p______'")
    async with own_database.engine.begin() as connection:
        name = await connection.scalar(newest)
        await connection.execute(text(f"DROP TABLE {name}"))
    async with limited.unit_of_work() as session:
        await UpkeepService(session, Actor.system(Via.JOB)).make_partitions()
        assert await session.scalar(newest) == name


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE audit_seals",
        "TRUNCATE users CASCADE",
        "CREATE TABLE planted (id int)",
        "CREATE TEMPORARY TABLE planted (id int)",
        "CREATE SCHEMA planted",
        "DROP TABLE audit_seals",
        "ALTER TABLE users ADD COLUMN planted int",
        "DROP INDEX ix_audit_events_at_id",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = 'x'",
        f"ALTER ROLE {APP_ROLE} SUPERUSER",
        "SET ROLE postgres",
        "CREATE DATABASE planted",
    ],
)
async def test_application_cannot(limited: Database, statement: str) -> None:
    async with limited.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            await connection.execute(text(statement))


async def test_database_of_an_older_postgresql_lets_the_application_make_no_tables(
    own_database: Database, limited: Database
) -> None:
    async with own_database.engine.begin() as connection:
        await connection.execute(text("GRANT CREATE ON SCHEMA public TO PUBLIC"))
    await migrate(own_database.engine, app_role=APP_ROLE)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with limited.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE planted (id int)"))


async def test_application_may_drop_months_that_are_over_and_no_others(limited: Database) -> None:
    with pytest.raises(DBAPIError, match="still to be kept"):
        async with limited.engine.begin() as connection:
            await connection.execute(text("SELECT drop_month('spans', '2026-01-01')"))


async def test_missing_role_is_named(own_database: Database) -> None:
    async with own_database.engine.connect() as connection:
        with pytest.raises(Unavailable, match="no_such_role"):
            await grant(connection, "no_such_role")


PERSON_OF_THEN = text("""
INSERT INTO users (email, full_name, hashed_password, role, is_active, row_version)
VALUES ('ada@example.com', 'Ada', 'x', 'superuser', true, 1)
""")


async def test_data_folder_of_an_earlier_version_keeps_starting(tmp_path: Path) -> None:
    """One role did everything then; the tables and what is in them stay as they are."""
    server = EmbeddedPostgres(tmp_path)
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(server.ensure_database)
        owner = Database.from_settings(settings_for(server.url()))
        await migrate(owner.engine, "7c1d5be04a92")
        async with owner.engine.begin() as connection:
            await connection.execute(PERSON_OF_THEN)
            await connection.execute(text(f"DROP ROLE {APP_ROLE}"))

        await asyncio.to_thread(server.ensure_database)
        assert not await at_head(as_application(owner)), "said, instead of a failure"
        assert await prepare(as_application(owner)) is None
        application = Database.from_settings(as_application(owner))
        async with application.unit_of_work() as session:
            assert await session.scalar(text("SELECT count(*) FROM users")) == 1
            assert await session.scalar(text("SELECT current_user")) == APP_ROLE
        await application.dispose()
        await owner.dispose()
    finally:
        await asyncio.to_thread(server.stop)
