"""Migrations on a PostgreSQL of their own: up, down, up again, and no drift from the models."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.migrations import is_at_head, migrate
from app.core.partitions import is_partition
from app.models import Base


def tables_in(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def drift_in(connection: Connection) -> list[object]:
    options = {
        "include_name": lambda name, kind, _: not (kind == "table" and is_partition(name or "")),
        "compare_server_default": True,
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


async def test_migrations_go_up_down_and_up_again(own_database: Database) -> None:
    engine = own_database.engine
    await migrate(engine, "base")
    async with engine.connect() as connection:
        assert await connection.run_sync(tables_in) <= {"alembic_version"}
    assert not await is_at_head(engine)
    await migrate(engine)
    assert await is_at_head(engine)


async def test_models_and_migrations_agree(own_database: Database) -> None:
    async with own_database.engine.connect() as connection:
        assert await connection.run_sync(drift_in) == []


async def test_coming_months_have_partitions(own_database: Database) -> None:
    await migrate(own_database.engine)
    async with own_database.engine.connect() as connection:
        tables = await connection.run_sync(tables_in)
    assert len([table for table in tables if table.startswith("spans_p")]) == 4


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_events SET action = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"],
)
async def test_audit_log_takes_no_change(own_database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with own_database.engine.begin() as connection:
            await connection.execute(text(statement))
