"""Migrations on a PostgreSQL of their own: up, down, up again, and no drift from the models."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core import migrations
from app.core.database import Database
from app.core.migrations import alembic_config, is_at_head, migrate
from app.core.partitions import is_partition
from app.exceptions import Conflict, Invalid, Unavailable
from app.models import Base
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.users import make_user

ONE_TABLE_OF_MARKS = "c41d7be05f92"


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


async def test_migrating_to_an_earlier_migration_goes_back(own_database: Database) -> None:
    engine, head = own_database.engine, migrations.head_revision()
    before = ScriptDirectory.from_config(alembic_config()).get_revision(str(head)).down_revision
    await migrate(engine, str(before))
    assert await version_in(engine) == before
    await migrate(engine, str(before))
    assert await version_in(engine) == before
    await migrate(engine, str(head))
    assert await version_in(engine) == head
    with pytest.raises(Invalid, match="no migration no_such"):
        await migrate(engine, "no_such")


async def test_database_of_a_newer_version_is_left_alone_in_words(own_database: Database) -> None:
    engine = own_database.engine
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'fedcba987654'"))
    for work in (migrate(engine), migrate(engine, "-1"), is_at_head(engine)):
        with pytest.raises(Conflict, match="newer one made it"):
            await work
    assert await version_in(engine) == "fedcba987654"


async def version_in(engine: AsyncEngine) -> str | None:
    async with engine.connect() as connection:
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


async def test_models_and_migrations_agree(own_database: Database) -> None:
    async with own_database.engine.connect() as connection:
        assert await connection.run_sync(drift_in) == []


async def test_marks_of_hours_outlive_the_way_down_and_up(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        agent = await make_agent(session, actor)
        await make_execution(session, actor, agent)
    async with own_database.looking() as session:
        marked = await marks_in(session)
    assert marked == {("executions", agent.id): 1, ("tool_calls", agent.id): 1}
    await undo(own_database, ONE_TABLE_OF_MARKS)
    async with own_database.looking() as session:
        apart = "SELECT agent_id FROM execution_stats_changed"
        assert list(await session.scalars(text(apart))) == [agent.id]
        assert await marks_in(session) == {("tool_calls", agent.id): 1}
    await migrate(own_database.engine)
    async with own_database.looking() as session:
        assert await marks_in(session) == marked


async def test_agent_that_is_removed_takes_its_runs_along(own_database: Database) -> None:
    async with own_database.unit_of_work() as session:
        actor = actor_for(await make_user(session))
        agent = await make_agent(session, actor)
        await make_execution(session, actor, agent)
    async with own_database.unit_of_work() as session:
        await session.execute(text("UPDATE agents SET live_revision_id = NULL"))
        await session.execute(text("UPDATE executions SET agent_revision_id = NULL"))
        await session.execute(text("DELETE FROM stale_hours"))
        await session.execute(text("DELETE FROM agents"))
        assert ("executions", agent.id) in await marks_in(session)


async def undo(database: Database, revision: str) -> None:
    """As it was before this migration."""
    config = alembic_config()
    before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    async with database.engine.connect() as connection:
        config.attributes["connection"] = connection.sync_connection
        await connection.run_sync(lambda _: command.downgrade(config, str(before)))
        await connection.commit()


async def marks_in(session: AsyncSession) -> dict[tuple[str, int], int]:
    hours = "SELECT figures, agent_id, count(DISTINCT hour) FROM stale_hours GROUP BY 1, 2"
    return {(row[0], row[1]): row[2] for row in await session.execute(text(hours))}


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


async def test_migration_steps_aside_and_comes_back_when_a_table_is_held(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrations, "PAUSE_S", 0.01)
    await migrate(own_database.engine, "-1")
    async with own_database.unit_of_work() as session:
        await session.execute(text("LOCK TABLE alembic_version IN EXCLUSIVE MODE"))
        monkeypatch.setattr(migrations, "TRIES", 2)
        with pytest.raises(Unavailable, match="holds a table"):
            await migrate(own_database.engine)
    await migrate(own_database.engine)
    assert await is_at_head(own_database.engine)
