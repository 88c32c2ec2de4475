"""Keyset pages: the next rows after a given one, whatever the size of the table."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.texts import lazy
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
                lazy("The cursor is not valid. Use next_cursor of an earlier answer."),
                field="cursor",
            ) from error
        return cls(value.replace("\x00", ""), row_id, bool(backward))


def parse_sort(
    text: str | None, allowed: dict[str, SortColumn], identity: SortColumn, default: str
) -> Sort:
    """``name`` or ``-name``. Raise ``Invalid`` naming what is allowed."""
    wanted = text or default
    column = allowed.get(wanted.removeprefix("-"))
    if column is None:
        raise Invalid(
            lazy("Cannot sort by that. Allowed: %(names)s.", names=", ".join(sorted(allowed))),
            field="sort",
        )
    return Sort(column, identity, wanted.startswith("-"))


def _typed(sort: Sort, text: str) -> Any:  # text or moment, as the column
    if sort.column.type.python_type is not datetime:
        return text
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(lazy("The cursor belongs to another sort order."), field="cursor") from error


def _text(value: Any) -> str:  # text or moment, as the column
    return value.isoformat() if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows to read, in which order, and which way from where."""

    sort: Sort
    start: Cursor | None
    limit: int

    @property
    def backward(self) -> bool:
        return self.start is not None and self.start.backward

    def of(self, statement: Any) -> Any:  # a Select of rows or columns, and the same narrowed
        """One row more than wanted, to know whether there are any further."""
        sort, descending = self.sort, self.sort.descending != self.backward
        if self.start is not None:
            key = tuple_(sort.column, sort.identity)
            edge = tuple_(_typed(sort, self.start.value), self.start.row_id)
            statement = statement.where(key < edge if descending else key > edge)
        columns = (sort.column, sort.identity)
        ordered = statement.order_by(*(c.desc() if descending else c.asc() for c in columns))
        return ordered.limit(self.limit + 1)

    def slice(self, rows: list[M]) -> Slice[M]:
        more, rows = len(rows) > self.limit, rows[: self.limit]
        if self.backward:
            rows.reverse()
        has_next = more if not self.backward else True
        has_previous = self.start is not None if not self.backward else more
        return Slice(
            rows,
            _cursor(rows[-1], self.sort, backward=False) if rows and has_next else None,
            _cursor(rows[0], self.sort, backward=True) if rows and has_previous else None,
        )


def window(sort: Sort, cursor: str | None, limit: int) -> Window:
    """Raise ``Invalid`` for a cursor that is none."""
    return Window(sort, Cursor.decode(cursor) if cursor else None, limit)


async def read_slice(
    session: AsyncSession, statement: Select[M], sort: Sort, cursor: str | None, limit: int
) -> Slice[M]:
    """Rows of the ORM: one query."""
    wanted = window(sort, cursor, limit)
    return wanted.slice(list(await session.scalars(wanted.of(statement))))


async def read_columns(session: AsyncSession, statement: Any, wanted: Window) -> Slice[Row[Any]]:
    """Plain rows of a statement that selects columns, those of the sort among them: one query."""
    connection = await session.connection()
    return wanted.slice(list((await connection.execute(wanted.of(statement))).all()))


def _cursor(row: object, sort: Sort, *, backward: bool) -> str:
    value = _text(getattr(row, sort.column.key))
    return Cursor(value, getattr(row, sort.identity.key), backward).encode()
