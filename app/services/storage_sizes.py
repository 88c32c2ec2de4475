"""Notes how large everything is, so that growth is told from what was measured."""

from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.migrations import SCHEMAS
from app.models import StorageSize
from app.models.storage_sizes import DATABASE

KEPT_FOR = timedelta(days=40)
MOST_TABLES = 60
# From the catalogue and the sizes of files; no table is read.
MEASURE = text("""
INSERT INTO storage_sizes (measured_at, name, total_bytes)
SELECT statement_timestamp(), name, total_bytes FROM (
    SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
        sum(pg_total_relation_size(c.oid))::bigint AS total_bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (:schemas)
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most
) largest
UNION ALL SELECT statement_timestamp(), :database, pg_database_size(current_database())
ON CONFLICT DO NOTHING
""")


class StorageSizeService:
    """For the product itself. ``services.operations.growth`` reads it."""

    resource = "storage_sizes"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def measure(self) -> None:
        """Note it as it is now, and forget what is too old to go by."""
        old = StorageSize.measured_at < func.statement_timestamp() - KEPT_FOR
        await self.session.execute(
            delete(StorageSize).where(old), execution_options={"synchronize_session": False}
        )
        parameters = {"schemas": list(SCHEMAS), "most": MOST_TABLES, "database": DATABASE}
        await self.session.execute(MEASURE, parameters)
