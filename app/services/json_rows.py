"""Rows that PostgreSQL writes as JSON, as their schema would: long lists pass through unread."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Enum,
    LargeBinary,
    Numeric,
    Table,
    Text,
    cast,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import TIMESTAMP

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US'"""


def as_written(column: ColumnElement[object]) -> ColumnElement[object]:
    """The column as Pydantic writes its values: moments in UTC, bytes in hex, decimals as text."""
    match column.type:
        case TIMESTAMP():
            utc = func.to_char(func.timezone("UTC", column), literal_column(ISO))
            return func.replace(utc, ".000000", "") + "Z"
        case LargeBinary():
            return func.encode(column, "hex")
        case Enum():
            return type_coerce(column, Text)
        case Numeric():
            return cast(column, Text)
        case _:
            return column


def json_of(
    schema: type[BaseModel], table: Table, **others: ColumnElement[Any]
) -> ColumnElement[str]:
    """``json``: one object a row, with the fields of the schema under their aliases.

    Fields are columns of their name, or what ``others`` says.
    """
    pairs: list[ColumnElement[object]] = []
    for name, field in schema.model_fields.items():
        pairs += [
            literal_column(f"'{field.serialization_alias or name}'"),
            as_written(others[name] if name in others else table.c[name]),
        ]
    # Written out once: a statement of a hundred parts would be matched anew with every request.
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    written = cast(func.json_build_object(*pairs), Text).compile(
        dialect=dialect, compile_kwargs={"literal_binds": True}
    )
    return literal_column(str(written), Text).label("json")
