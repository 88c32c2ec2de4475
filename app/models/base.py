"""The declarative base, the columns every table has, and the naming of constraints."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, Enum, Identity, MetaData, Table, func
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
JsonObject = dict[str, Any]  # JSON is untyped by nature


class Base(DeclarativeBase):
    """Every model; columns filled by the database are fetched back by the same statement."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {  # SQLAlchemy's own type for this hook
        datetime: TIMESTAMP(timezone=True),
        int: BigInteger,
        JsonObject: JSONB(none_as_null=True),
    }
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012  (as SQLAlchemy declares it)


def table_of(model: type[Base]) -> Table:
    """The table itself, for statements that need no objects."""
    return cast("Table", model.__table__)


class Identified:
    """``id``, and when the row was made and last changed (aware UTC, by the database's clock)."""

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )


class Versioned(Identified):
    """``row_version`` counts the saves: the optimistic lock, and the ETag."""

    row_version: Mapped[int] = mapped_column(default=1, server_default="1")

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"eager_defaults": True, "version_id_col": cls.row_version}


class Editable(Versioned):
    """A versioned row that goes to the trash (``deleted_at``) before it is gone."""

    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


def text_enum(enum: type[StrEnum], name: str) -> Enum:
    """A ``StrEnum`` stored as its value in a text column with a CHECK."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )
