"""What a database holds, table by table: rows, and a sum over everything that is in them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from app.backups.programs import Tell
from app.core.migrations import SCHEMAS

# Of asyncpg, which has no types.
Connection = Any
# Roots of partitioned tables stand for their partitions. Who looks at a page is no data.
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relpersistence = 'p'
ORDER BY 1
"""
# The same whatever the order of rows: a sum of 64-bit hashes, wide enough never to overflow.
CONTENTS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {} t"
READABLY = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'"


class TableContents(BaseModel):
    """``digest`` is decimal, a sum of signed hashes."""

    rows: int
    digest: str


async def tables_of(connection: Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(TABLES, list(SCHEMAS))]


async def read_contents(connection: Connection, tell: Tell) -> dict[str, TableContents]:
    """As this connection's transaction sees them."""
    await connection.execute(READABLY)
    found = {}
    for table in await tables_of(connection):
        tell(f"Counting {table}")
        rows, digest = await connection.fetchrow(CONTENTS.format(table))
        found[table] = TableContents(rows=rows, digest=str(digest))
    return found


def differences(
    expected: Mapping[str, TableContents], found: Mapping[str, TableContents]
) -> list[str]:
    """What is not as it was, in words."""
    told = []
    for table in sorted(expected.keys() | found.keys()):
        was, now = expected.get(table), found.get(table)
        if was is None or now is None:
            told.append(f"{table} is {'missing' if now is None else 'new'}")
        elif was != now:
            told.append(f"{table} had {was.rows:,} rows and has {now.rows:,}, or others")
    return told
