"""PgQueuer's tables, in a schema of their own: the transport under the ``jobs`` table."""

from typing import Any

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import Channel
from sqlalchemy.ext.asyncio import AsyncSession

SCHEMA = "pgqueuer"
# Every name is given: the library would take missing ones from the environment.
QUEUE = DBSettings(
    prefix="",
    db_schema=SCHEMA,
    channel=Channel("greenroom_jobs"),
    function="queue_changed",
    statistics_table="statistics",
    queue_status_type="job_status",
    queue_table="queue",
    queue_table_log="log",
    trigger="queue_changed",
    schedules_table="schedules",
    durability=Durability.durable,
    widen_id=True,
)


def queries_over(connection: "asyncpg.Connection[Any]") -> Queries:
    """The library's statements over one connection, in its transaction where it has one."""
    return Queries(
        AsyncpgDriver(connection),
        qbe=QueryBuilderEnvironment(QUEUE),
        qbq=QueryQueueBuilder(QUEUE),
        qbs=QuerySchedulerBuilder(QUEUE),
    )


async def queries_of(session: AsyncSession) -> Queries:
    """The library's statements inside this session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    if raw.driver_connection is None:
        raise RuntimeError("The session has no driver connection.")
    return queries_over(raw.driver_connection)
