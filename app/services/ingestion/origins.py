"""What made the spans: stored once, found again by its hash."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import memories_of
from app.core.remembered import always
from app.services.ingestion import statements as sql
from app.services.ingestion.dialects import attributes_at_the_door
from app.services.ingestion.prepared import short, to_json
from app.services.ingestion.wire import Origin, WireSpan
from app.services.spans import moment_of

Columns = tuple[bytes, str, str, str, str]
Use = tuple[bytes, date]  # an origin's hash, and the last month of the spans that refer to it
Driver = Any  # asyncpg is untyped


def columns_of(origin: Origin) -> Columns:
    """As the statement takes them, their hash first."""
    name = short(origin.scope_name, 300) or ""
    version = short(origin.scope_version, 100) or ""
    url = short(origin.schema_url, 300) or ""
    resource = to_json(attributes_at_the_door(origin.resource)) or "{}"
    told = "\0".join((resource, name, version, url))
    return hashlib.sha256(told.encode()).digest(), resource, name, version, url


def month_of(start_ns: int) -> date:
    return moment_of(start_ns).date().replace(day=1)


class Origins:
    """Rows of ``span_origins`` go by ``used_until`` alone, months later: ids may be remembered for
    moments, each for the month for which it was seen to stay.
    """

    def __init__(self, session: AsyncSession, driver: Driver) -> None:
        self._driver = driver
        self._memory = memories_of(session).of("span_origins", ())

    async def ids_of(self, spans: Iterable[WireSpan]) -> dict[int, int]:
        """The row of each origin, by the origin's ``id()``: spans of a request share them."""
        origins: dict[int, Origin] = {}
        last_ns: dict[int, int] = {}
        for span in spans:
            place = id(span.origin)
            origins[place] = span.origin
            last_ns[place] = max(span.start_ns, last_ns.get(place, 0))
        columns = {place: columns_of(origin) for place, origin in origins.items()}
        months: dict[bytes, date] = {}
        for place, row in columns.items():
            month = month_of(last_ns[place])
            months[row[0]] = max(month, months.get(row[0], month))
        ids = await self._ids({row[0]: row for row in columns.values()}, months)
        return {place: ids[row[0]] for place, row in columns.items()}

    async def _ids(self, rows: dict[bytes, Columns], months: dict[bytes, date]) -> dict[bytes, int]:
        known: dict[bytes, int] = {}
        missing: dict[bytes, Columns] = {}
        for sha256, row in rows.items():
            row_id = self._memory.get((sha256, months[sha256]))
            if row_id is None:
                missing[sha256] = row
            else:
                known[sha256] = row_id
        return known | await self._find_or_add(missing, months) if missing else known

    async def _find_or_add(
        self, missing: dict[bytes, Columns], months: dict[bytes, date]
    ) -> dict[bytes, int]:
        found = await self._find(missing)
        stay = {each: row_id for each, (row_id, until) in found.items() if until >= months[each]}
        for sha256, row_id in stay.items():
            await self._remember((sha256, months[sha256]), row_id)
        new = sorted(
            (*row, months[sha256]) for sha256, row in missing.items() if sha256 not in stay
        )
        if new:
            await self._driver.execute(sql.ADD_ORIGINS, *map(list, zip(*new, strict=True)))
            # Not remembered yet: this transaction may still be rolled back.
            added = await self._find([row[0] for row in new])
            stay |= {each: row_id for each, (row_id, _) in added.items()}
        return stay

    async def _find(self, hashes: Collection[bytes]) -> dict[bytes, tuple[int, date]]:
        rows = await self._driver.fetch(sql.FIND_ORIGINS, list(hashes))
        return {row["sha256"]: (row["id"], row["used_until"]) for row in rows}

    async def _remember(self, use: Use, row_id: int) -> None:
        async def read() -> int:
            return row_id

        await self._memory.read(use, read, always)
