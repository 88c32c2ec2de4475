"""Odd requests are answered in words, whatever they hold, and leave nothing behind."""

import asyncio
from pathlib import Path

from app.core.database import Database
from tests.otlp.fuzzing import fuzz, resident_mib
from tests.server import installed

REQUESTS = 600
MAY_GROW_MIB = 64


async def test_no_request_is_too_odd_to_answer(own_database: Database, tmp_path: Path) -> None:
    async with installed(own_database, tmp_path) as home:
        await asyncio.to_thread(fuzz, home, 1, 200)
        before = resident_mib(home)
        seen = await asyncio.to_thread(fuzz, home, 2, REQUESTS)
        grown = resident_mib(home) - before
        log = home.server.log.read_text()
    assert seen.wrong == []
    assert seen.statuses.total() >= REQUESTS
    assert seen.statuses[200] > REQUESTS / 5
    assert grown < MAY_GROW_MIB
    assert "Traceback" not in log
