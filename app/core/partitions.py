"""Monthly partitions of the tables that grow with every run.

Rows outside the months made so far land in the default partition, so nothing is ever refused for
want of one; retention can drop whole months.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

PARTITIONED_TABLES = ("execution_bodies", "spans", "span_bodies")
MONTHS_AHEAD = 3
PARTITION_NAME = re.compile(rf"({'|'.join(PARTITIONED_TABLES)})_(default|p\d{{6}})")


def is_partition(table: str) -> bool:
    return PARTITION_NAME.fullmatch(table) is not None


def month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


async def ensure_partitions(connection: AsyncConnection, now: datetime | None = None) -> None:
    """Make this month's partitions and those of the next three, where they are missing."""
    month = (now or datetime.now(UTC)).date().replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        following = month_after(month)
        for table in PARTITIONED_TABLES:
            statement = text(
                f"CREATE TABLE IF NOT EXISTS {table}_p{month:%Y%m} PARTITION OF {table} "
                f"FOR VALUES FROM ('{month} 00:00+00') TO ('{following} 00:00+00')"
            )
            # A month whose rows are in the default partition already stays there.
            with suppress(IntegrityError):
                async with connection.begin_nested():
                    await connection.execute(statement)
        month = following
