"""Steps of a run. Ids are OpenTelemetry's; both tables are partitioned by start time."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JsonObject, text_enum
from app.models.executions import Usage

BY_START_TIME = {"postgresql_partition_by": "RANGE (started_at)"}


class SpanKind(StrEnum):
    """What a step does."""

    LLM = "llm"
    TOOL = "tool"
    AGENT = "agent"
    CHAIN = "chain"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    OTHER = "other"


MODEL_KINDS = frozenset({SpanKind.LLM, SpanKind.EMBEDDING})


class SpanStatus(StrEnum):
    """OpenTelemetry's span status."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


class Span(Usage, Base):
    """A narrow row; a span sent again with the same start time replaces itself."""

    __tablename__ = "spans"
    __table_args__ = (
        PrimaryKeyConstraint("trace_id", "span_id", "started_at"),
        Index("ix_spans_execution_id_start_ns", "execution_id", "start_ns"),
        BY_START_TIME,
    )

    trace_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    span_id: Mapped[bytes] = mapped_column(LargeBinary(8))
    started_at: Mapped[datetime]
    execution_id: Mapped[int] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    parent_span_id: Mapped[bytes | None] = mapped_column(LargeBinary(8))
    kind: Mapped[SpanKind] = mapped_column(text_enum(SpanKind, "kind"))
    name: Mapped[str] = mapped_column(String(300))
    status: Mapped[SpanStatus] = mapped_column(text_enum(SpanStatus, "status"))
    start_ns: Mapped[int]
    end_ns: Mapped[int | None]
    model_name: Mapped[str | None] = mapped_column(String(200))
    # Whose model it was, as the sender says it: prices depend on it.
    provider_name: Mapped[str | None] = mapped_column(String(100))
    tool_name: Mapped[str | None] = mapped_column(String(200))

    def __str__(self) -> str:
        return f"{self.name} {self.span_id.hex()}"


class SpanBody(Base):
    """What a step was given, what it gave, and its raw attributes."""

    __tablename__ = "span_bodies"
    __table_args__ = (
        PrimaryKeyConstraint("trace_id", "span_id", "started_at"),
        BY_START_TIME,
    )

    trace_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    span_id: Mapped[bytes] = mapped_column(LargeBinary(8))
    started_at: Mapped[datetime]
    input: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # any JSON value
    output: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # any JSON value
    attributes: Mapped[JsonObject | None]
    events: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # a JSON list
    # Of spans that came by OpenTelemetry: what made them (a row of ``span_origins``, which
    # stays as long as they do), and the rest of what it takes to hand them on as they were.
    origin_id: Mapped[int | None]
    wire: Mapped[JsonObject | None]
