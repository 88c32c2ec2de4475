"""Keyset pages over any not-null columns, for tables whose key is not one ``id``."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.texts import lazy
from app.exceptions import BadRequest

Column = InstrumentedAttribute[Any]  # columns of any type
MAX_CURSOR_LENGTH = 1000
BAD_CURSOR = lazy("This link to a page of the list is not valid. Start again from the first page.")


@dataclass(frozen=True, slots=True)
class Order:
    """Not-null columns, the last of them unique together, so that no row repeats or is skipped."""

    columns: tuple[Column, ...]
    descending: bool = False

    def apply(self, statement: Select[Any], *, backward: bool = False) -> Select[Any]:
        down = self.descending != backward
        return statement.order_by(*(c.desc() if down else c.asc() for c in self.columns))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, and the cursors of those after and before them."""

    items: Sequence[Any]  # rows of any model
    next_cursor: str | None
    previous_cursor: str | None


def _to_json(value: Any) -> str | int:  # a column's value
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


def _from_json(column: Column, value: str | int) -> Any:  # as the column
    kind = column.type.python_type
    if kind is int:
        if not isinstance(value, int) or abs(value) >= 2**63:
            raise ValueError(BAD_CURSOR)
        return value
    text = str(value)
    if kind is datetime:
        return datetime.fromisoformat(text)
    return bytes.fromhex(text) if kind is bytes else text.replace("\x00", "")


def encode(order: Order, row: Any, *, backward: bool) -> str:  # a row of any model
    values = [_to_json(getattr(row, column.key)) for column in order.columns]
    raw = json.dumps([int(backward), *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode(order: Order, cursor: str) -> tuple[bool, list[Any]]:
    """Raise ``BadRequest`` for anything that this product did not write."""
    try:
        if len(cursor) > MAX_CURSOR_LENGTH:
            raise ValueError(BAD_CURSOR)
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        backward, *values = raw
        edge = [_from_json(c, v) for c, v in zip(order.columns, values, strict=True)]
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRequest(BAD_CURSOR) from error
    return bool(backward), edge


async def read(
    session: AsyncSession, statement: Select[Any], order: Order, cursor: str | None, limit: int
) -> Rows:
    """One query, for one row more than asked: that tells whether there are further ones."""
    backward, edge = decode(order, cursor) if cursor else (False, None)
    if edge is not None:
        key = tuple_(*order.columns)
        down = order.descending != backward
        statement = statement.where(key < tuple(edge) if down else key > tuple(edge))
    rows = list(await session.scalars(order.apply(statement, backward=backward).limit(limit + 1)))
    more, rows = len(rows) > limit, rows[:limit]
    if backward:
        rows.reverse()
    has_next = bool(rows) and (backward or more)
    has_previous = bool(rows) and (more if backward else edge is not None)
    return Rows(
        rows,
        encode(order, rows[-1], backward=False) if has_next else None,
        encode(order, rows[0], backward=True) if has_previous else None,
    )
