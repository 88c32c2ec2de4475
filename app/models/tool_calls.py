"""Calls of tools that steps of runs have recorded, counted by the hour in which the run began."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum

KEY = ("agent_id", "hour", "tool_name")


class CallProblemKind(StrEnum):
    """What does not fit the tool's schema."""

    BROKEN = "broken"
    UNKNOWN_PROPERTY = "unknown_property"


class ToolCallHour(Base):
    """All calls of a tool by an agent in an hour; rewritten whole, never added to."""

    __tablename__ = "tool_call_hours"
    __table_args__ = (
        PrimaryKeyConstraint(*KEY),
        Index("ix_tool_call_hours_tool_id_hour", "tool_id", "hour"),
        Index("ix_tool_call_hours_hour", "hour"),
    )

    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    hour: Mapped[datetime]
    # In small letters, as calls are compared.
    tool_name: Mapped[str] = mapped_column(String(200))
    # The tool of that name in the revision that ran, where it offers one.
    tool_id: Mapped[int | None] = mapped_column(ForeignKey("tools.id", ondelete="SET NULL"))
    calls: Mapped[int]
    errors: Mapped[int]
    # Calls in runs whose revision has tools, but not this one.
    unoffered: Mapped[int]
    # Calls whose arguments were held against the schema, and those that break it.
    checked: Mapped[int]
    broken: Mapped[int]
    # Names of arguments that were sent.
    sent: Mapped[list[str]] = mapped_column(ARRAY(String(100)), server_default=text("'{}'"))
    counted_at: Mapped[datetime]

    def __str__(self) -> str:
        return f"{self.tool_name} {self.hour:%Y-%m-%d %H}h"


class ToolCallProblem(Base):
    """One way in which calls of an hour do not fit the schema, with the newest example."""

    __tablename__ = "tool_call_problems"
    __table_args__ = (
        PrimaryKeyConstraint(*KEY, "kind", "what"),
        ForeignKeyConstraint(KEY, [f"tool_call_hours.{name}" for name in KEY], ondelete="CASCADE"),
    )

    agent_id: Mapped[int]
    hour: Mapped[datetime]
    tool_name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[CallProblemKind] = mapped_column(text_enum(CallProblemKind, "kind"))
    # The fault, the same for all values that are wrong in this way; or the property's name.
    what: Mapped[str] = mapped_column(String(160))
    calls: Mapped[int]
    note: Mapped[str | None] = mapped_column(String(160))
    # No foreign keys: a run that is gone takes no counts with it, and readers look whether it is.
    execution_id: Mapped[int]
    span_id: Mapped[bytes | None] = mapped_column(LargeBinary(8))

    def __str__(self) -> str:
        return self.what
