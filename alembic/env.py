"""Runs migrations over the connection it is handed, or over one as the owner of the tables."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.config import get_settings
from app.core.migrations import LOCK_TIMEOUT
from app.core.partitions import is_partition
from app.models import Base


def include_name(name: str | None, type_: str, _: object) -> bool:
    """Partitions are made as time goes on; they are no part of the schema's drift."""
    return not (type_ == "table" and name is not None and is_partition(name))


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    url = get_settings().for_migrations().database_url
    if url is None:
        raise SystemExit("Set DATABASE_URL, or use: python -m app migrate")
    engine = create_async_engine(url.get_secret_value(), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    asyncio.run(run_online())
