"""Monthly partitions of the tables that grow with every run.

Rows outside the months made so far land in the default partition, so nothing is ever refused for
want of one; retention can drop whole months.
"""

import re

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PARTITION_NAME = re.compile(r"(execution_bodies|spans|span_bodies)_(default|p\d{6})")
MAKE = text("SELECT make_partitions()")


def is_partition(table: str) -> bool:
    return PARTITION_NAME.fullmatch(table) is not None


async def ensure_partitions(connection: AsyncConnection) -> None:
    """Make this month's partitions and those of the next three, where they are missing."""
    await connection.execute(MAKE)
