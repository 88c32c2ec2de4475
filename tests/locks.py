"""Locks of a test's own database."""

import asyncio

from sqlalchemy import text

from app.core.database import Database

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_waiting(database: Database) -> None:
    """Until somebody waits for a lock."""
    for _ in range(400):
        async with database.looking() as session:
            if await session.scalar(WAITING):
                return
        await asyncio.sleep(0.02)
    raise AssertionError("Nobody waits.")
