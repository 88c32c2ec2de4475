"""Lists as files: all that a filter matches, in the order of the list, read in short steps."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.csv import csv_line, formula_safe
from app.core.database import Database
from app.exceptions import AppError
from app.schemas.exports import ExportFormat
from app.schemas.lists import PLACES
from app.services.audit_events import AuditEventService

FEWEST, MOST = 16, 500  # rows read at once
# Steps of all exports of a process: the others wait in line instead of taking all connections.
STEPS_AT_ONCE = 3
STEP_BYTES = 256 * 1024  # of text; more rows are read at once as long as a step stays below
# Which rows were chosen, and in which order, is part of what left.
NOT_FILTERS = {*PLACES - {"ids", "sort"}, "format", "bodies", "range"}
log = structlog.get_logger("greenroom.exports")


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows as JSON objects, and the cursor of the next ones."""

    rows: Sequence[str]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Export:
    """What is to leave: ``read(session, cursor, limit)`` gives the next rows of the list."""

    resource: str
    columns: Sequence[str]
    query: BaseModel
    read: Callable[[AsyncSession, str | None, int], Awaitable[Part]]
    with_bodies: bool = False


_steps: WeakKeyDictionary[Database, asyncio.Semaphore] = WeakKeyDictionary()


def in_turn(database: Database) -> asyncio.Semaphore:
    """First come, first served."""
    return _steps.setdefault(database, asyncio.Semaphore(STEPS_AT_ONCE))


class Outcome(StrEnum):
    """How an export ended."""

    COMPLETE = "complete"
    LEFT = "broken off by the reader"
    FAILED = "failed"


def cell(column: str, value: Any) -> str:  # a JSON value
    """As text: numbers as they are, what people wrote disarmed.

    Tools go by their names and revisions by their number; other objects may look like them.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return formula_safe(value)
        case [*tools] if column == "tools":
            return ", ".join(tool["name"] for tool in tools)
        case {"number": number} if column == "live_revision":
            return str(number)
        case _:
            return json.dumps(value, ensure_ascii=False)


def as_csv(rows: Sequence[str], columns: Sequence[str]) -> str:
    objects = [json.loads(row) for row in rows]
    return "".join(csv_line([cell(name, row.get(name)) for name in columns]) for row in objects)


def as_lines(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def next_limit(limit: int, written: int) -> int:
    """Rows differ a thousandfold in size; memory is to stay small and steps few."""
    if written > STEP_BYTES:
        return max(1, min(limit - 1, limit * STEP_BYTES // written))
    return min(MOST, limit * 2)


class ExportStream:
    """One export under way. What left is on record, however it ends.

    ``begin`` is to be committed before the first byte, ``end`` follows the last one.
    """

    def __init__(
        self, database: Database, actor: Actor, export: Export, form: ExportFormat
    ) -> None:
        self.export, self.form = export, form
        self._database, self._actor = database, actor
        self._rows, self._outcome = 0, Outcome.LEFT

    async def begin(self) -> None:
        asked = self.export.query.model_dump(
            mode="json", exclude=NOT_FILTERS, exclude_defaults=True, by_alias=True
        )
        changes = {"format": [None, self.form.value], "filter": [None, asked or None]}
        if self.export.with_bodies:
            changes["bodies"] = [None, True]
        await self._record("export", changes)

    async def end(self) -> None:
        """A database that is gone takes no record; that is said in the log."""
        changes = {"rows": [None, self._rows], "outcome": [None, self._outcome.value]}
        try:
            await self._record("export_end", changes)
        except (AppError, SQLAlchemyError):
            log.warning("the end of an export is not on record", rows=self._rows)

    async def chunks(self) -> AsyncIterator[str]:
        """The file. Each step is a short read; none is open while the reader takes its time."""
        if self.form is ExportFormat.CSV:
            yield csv_line(self.export.columns)
        cursor, limit = None, FEWEST
        while True:
            part = await self._read(cursor, limit)
            text = self._written(part.rows)
            if text:
                yield text
            self._rows, cursor = self._rows + len(part.rows), part.next_cursor
            if cursor is None:
                self._outcome = Outcome.COMPLETE
                return
            limit = next_limit(limit, len(text))

    async def _read(self, cursor: str | None, limit: int) -> Part:
        try:
            async with in_turn(self._database), self._database.looking() as session:
                return await self.export.read(session, cursor, limit)
        except Exception:
            self._outcome = Outcome.FAILED
            raise

    def _written(self, rows: Sequence[str]) -> str:
        if self.form is ExportFormat.CSV:
            return as_csv(rows, self.export.columns)
        return as_lines(rows)

    async def _record(self, action: str, changes: dict[str, Any]) -> None:
        async with in_turn(self._database), self._database.beside() as session:
            audit = AuditEventService(session, self._actor)
            audit.record(action, self.export.resource, None, changes)
