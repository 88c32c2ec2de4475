"""A database that refuses some spans, for as long as the transaction of a test lasts."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

FUNCTION = """
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22023'; END
$$
"""
TRIGGER = """
CREATE TRIGGER refuse BEFORE INSERT ON spans FOR EACH ROW WHEN (NEW.name = 'unbearable')
EXECUTE FUNCTION pg_temp.refuse()
"""


async def refuse_spans(session: AsyncSession) -> None:
    """Those called ``unbearable``."""
    await session.execute(text(FUNCTION))
    await session.execute(text(TRIGGER))
