"""Keeps one process's settings as superusers have set them, wherever that was done."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import structlog
from sqlalchemy import select

from app.core.background import Background
from app.core.database import Database
from app.core.remembered import SETTINGS_TABLES
from app.core.runtime_settings import LiveSettings
from app.models import InstanceSettings

log = structlog.get_logger("greenroom.settings")
# A process that hears of changes looks as soon as it does; this is for what it has missed.
LOOK_EVERY_S = 2.0
READ_WITHIN_S = 5.0


class SettingsKeeper(Background):
    """Reads what was changed at the start, and again when the database says that it was.

    While the database is away, what was known last holds.
    """

    def __init__(self, database: Database, live: LiveSettings) -> None:
        self._database = database
        self._live = live
        self._wake = asyncio.Event()
        self._is_known = True
        database.memories.tell(self._changed)

    def _changed(self, tables: Collection[str]) -> None:
        if not SETTINGS_TABLES.isdisjoint(tables):
            self._wake.set()

    async def begin(self) -> None:
        """What was changed holds from the first request on, if the database says it."""
        await self._try()
        self.start()

    async def read(self) -> None:
        """Raises what keeps the database from saying it."""
        statement = select(InstanceSettings.row_version, InstanceSettings.overrides)
        async with asyncio.timeout(READ_WITHIN_S), self._database.reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is not None:
            self._live.take_up(row.row_version, row.overrides)

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            await self._try()

    async def _try(self) -> None:
        self._wake.clear()
        try:
            await self.read()
            self._is_known = True
        except Exception as error:  # noqa: BLE001  (the next look may well succeed)
            if self._is_known:
                log.warning("settings were not read", error=type(error).__name__)
            self._is_known = False
