"""Exports wait for one another, so that the other requests find a connection."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.database import Database
from app.schemas.agents import AgentQuery
from app.schemas.exports import ExportFormat
from app.services.exports import STEPS_AT_ONCE, Export, ExportStream, Part

EXPORTS, STEPS = 12, 3


async def test_exports_at_once_take_few_connections_and_all_come_to_their_end(
    own_database: Database,
) -> None:
    reading = most = 0

    async def read(session: AsyncSession, cursor: str | None, _: int) -> Part:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await session.execute(text("SELECT pg_sleep(0.01)"))
        reading -= 1
        step = int(cursor or 0) + 1
        return Part(["{}"], None if step == STEPS else str(step))

    async def whole() -> str:
        export = Export("agents", ["id"], AgentQuery(), read)
        stream = ExportStream(own_database, Actor.system(Via.CLI), export, ExportFormat.JSONL)
        await stream.begin()
        written = "".join([chunk async for chunk in stream.chunks()])
        await stream.end()
        return written

    assert await asyncio.gather(*(whole() for _ in range(EXPORTS))) == ["{}\n" * STEPS] * EXPORTS
    assert most == STEPS_AT_ONCE
