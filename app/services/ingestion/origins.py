"""What made the spans: stored once, found again by its hash."""

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import memories_of
from app.core.remembered import always
from app.services.ingestion import statements as sql
from app.services.ingestion.dialects import attributes_at_the_door
from app.services.ingestion.prepared import short, to_json
from app.services.ingestion.wire import Origin

Columns = tuple[bytes, str, str, str, str]
Driver = Any  # asyncpg is untyped


def columns_of(origin: Origin) -> Columns:
    """As the statement takes them, their hash first."""
    name = short(origin.scope_name, 300) or ""
    version = short(origin.scope_version, 100) or ""
    url = short(origin.schema_url, 300) or ""
    resource = to_json(attributes_at_the_door(origin.resource)) or "{}"
    told = "\0".join((resource, name, version, url))
    return hashlib.sha256(told.encode()).digest(), resource, name, version, url


class Origins:
    """Rows of ``span_origins`` never change and are never removed, so ids may be remembered."""

    def __init__(self, session: AsyncSession, driver: Driver) -> None:
        self._driver = driver
        self._memory = memories_of(session).of("span_origins", ())

    async def ids_of(self, origins: Iterable[Origin]) -> dict[int, int]:
        """The row of each origin, by the origin's ``id()``: spans of a request share them."""
        distinct = {id(origin): origin for origin in origins}
        columns = {place: columns_of(origin) for place, origin in distinct.items()}
        known: dict[bytes, int] = {}
        missing: dict[bytes, Columns] = {}
        for row in columns.values():
            row_id = self._memory.get(row[0])
            if row_id is None:
                missing[row[0]] = row
            else:
                known[row[0]] = row_id
        if missing:
            known |= await self._find_or_add(missing)
        return {place: known[row[0]] for place, row in columns.items()}

    async def _find_or_add(self, missing: dict[bytes, Columns]) -> dict[bytes, int]:
        found = await self._find(missing)
        for sha256, row_id in found.items():
            await self._remember(sha256, row_id)
        new = sorted(row for sha256, row in missing.items() if sha256 not in found)
        if new:
            await self._driver.execute(sql.ADD_ORIGINS, *map(list, zip(*new, strict=True)))
            # Not remembered yet: this transaction may still be rolled back.
            found |= await self._find([row[0] for row in new])
        return found

    async def _find(self, hashes: Iterable[bytes]) -> dict[bytes, int]:
        rows = await self._driver.fetch(sql.FIND_ORIGINS, list(hashes))
        return {row["sha256"]: row["id"] for row in rows}

    async def _remember(self, sha256: bytes, row_id: int) -> None:
        async def read() -> int:
            return row_id

        await self._memory.read(sha256, read, always)
