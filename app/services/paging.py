"""Keyset pages: the next rows after a given one, whatever the size of the table."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.exceptions import Invalid

M = TypeVar("M")
SortColumn = InstrumentedAttribute[Any]  # sortable columns hold text or moments


@dataclass(frozen=True, slots=True)
class Sort:
    """An indexed column to sort by, with the row id as tie-breaker."""

    column: SortColumn
    identity: SortColumn
    descending: bool


@dataclass(frozen=True, slots=True)
class Slice(Generic[M]):
    """Some rows, and the cursors of the rows after and before them."""

    items: Sequence[M]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The row to start from, and whether to read back from it."""

    value: str
    row_id: int
    backward: bool

    def encode(self) -> str:
        raw = json.dumps([self.value, self.row_id, int(self.backward)])
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raise ``Invalid`` for anything this product did not write."""
        try:
            raw = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            value, row_id, backward = raw
            if not (isinstance(value, str) and isinstance(row_id, int) and abs(row_id) < 2**63):
                raise TypeError
            value.encode()
        except (ValueError, TypeError) as error:
            raise Invalid(
                "The cursor is not valid. Use next_cursor of an earlier answer.", field="cursor"
            ) from error
        return cls(value.replace("\x00", ""), row_id, bool(backward))


def parse_sort(
    text: str | None, allowed: dict[str, SortColumn], identity: SortColumn, default: str
) -> Sort:
    """``name`` or ``-name``. Raise ``Invalid`` naming what is allowed."""
    wanted = text or default
    column = allowed.get(wanted.removeprefix("-"))
    if column is None:
        raise Invalid(f"Cannot sort by that. Allowed: {', '.join(sorted(allowed))}.", field="sort")
    return Sort(column, identity, wanted.startswith("-"))


def _typed(sort: Sort, text: str) -> Any:  # text or moment, as the column
    if sort.column.type.python_type is not datetime:
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid("The cursor belongs to another sort order.", field="cursor") from error


def _text(value: Any) -> str:  # text or moment, as the column
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def read_slice(
    session: AsyncSession, statement: Select[M], sort: Sort, cursor: str | None, limit: int
) -> Slice[M]:
    """One query for ``limit`` rows and one more, to know whether there are any further."""
    start = Cursor.decode(cursor) if cursor else None
    backward = start is not None and start.backward
    descending = sort.descending != backward
    key = tuple_(sort.column, sort.identity)
    if start is not None:
        edge = tuple_(_typed(sort, start.value), start.row_id)
        statement = statement.where(key < edge if descending else key > edge)
    columns = (sort.column, sort.identity)
    ordered = statement.order_by(*(c.desc() if descending else c.asc() for c in columns))
    rows = list(await session.scalars(ordered.limit(limit + 1)))
    more, rows = len(rows) > limit, rows[:limit]
    if backward:
        rows.reverse()
    has_next = more if not backward else True
    has_previous = start is not None if not backward else more
    return Slice(
        rows,
        _cursor(rows[-1], sort, backward=False) if rows and has_next else None,
        _cursor(rows[0], sort, backward=True) if rows and has_previous else None,
    )


def _cursor(row: object, sort: Sort, *, backward: bool) -> str:
    value = _text(getattr(row, sort.column.key))
    return Cursor(value, getattr(row, sort.identity.key), backward).encode()
