"""Runs of agents: a narrow row to list by, and the bodies beside it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agent_revisions import AgentRevision
from app.models.agents import Agent
from app.models.base import Base, Editable, JsonObject, text_enum

Usd = Numeric(18, 9)


class ExecutionStatus(StrEnum):
    """Where a run stands; the first two are open, the others final."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALLED = "stalled"


OPEN_STATUSES = frozenset({ExecutionStatus.PENDING, ExecutionStatus.RUNNING})


class ExecutionSource(StrEnum):
    """How a run came in."""

    API = "api"
    OTLP = "otlp"
    PLAYGROUND = "playground"
    IMPORT = "import"


class CostSource(StrEnum):
    """Whether a cost was reported by the sender, computed here, or is not known."""

    REPORTED = "reported"
    COMPUTED = "computed"
    UNPRICED = "unpriced"


class Usage:
    """Tokens and cost of a run or of one step. NULL is unknown; 0 is a value.

    Input tokens are the total, those read from a cache (``cached_tokens``) and written to it
    included; output tokens include reasoning.
    """

    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    cache_write_tokens: Mapped[int | None]
    reasoning_tokens: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(Usd)
    cost_source: Mapped[CostSource] = mapped_column(
        text_enum(CostSource, "cost_source"), default=CostSource.UNPRICED
    )


class Execution(Usage, Editable, Base):
    __tablename__ = "executions"
    __table_args__ = (
        UniqueConstraint("agent_id", "external_id"),
        UniqueConstraint("trace_id"),
        Index("ix_executions_started_at_id", "started_at", "id"),
        Index("ix_executions_agent_id_started_at_id", "agent_id", "started_at", "id"),
        Index("ix_executions_status_started_at_id", "status", "started_at", "id"),
        Index("ix_executions_model_name_started_at_id", "model_name", "started_at", "id"),
        Index("ix_executions_source_started_at_id", "source", "started_at", "id"),
        Index("ix_executions_session_id_started_at_id", "session_id", "started_at", "id"),
        Index("ix_executions_agent_revision_id", "agent_revision_id"),
        Index("ix_executions_external_id", "external_id"),
        Index(
            "ix_executions_sent_trace_id",
            "sent_trace_id",
            postgresql_where=text("sent_trace_id IS NOT NULL"),
        ),
        Index("ix_executions_tags", "tags", postgresql_using="gin"),
        # Finds the few that cost much, took long or had errors. Unlike a B-tree, it takes next to
        # nothing from writing: updates of these columns may stay on their page (HOT).
        Index(
            "ix_executions_outliers",
            "cost",
            "latency_ms",
            "error_count",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 8, "autosummarize": True},
        ),
    )

    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id", ondelete="CASCADE"))
    agent_revision_id: Mapped[int | None] = mapped_column(
        ForeignKey("agent_revisions.id", ondelete="SET NULL")
    )
    # What its spans are stored under: the sender's trace id, or one made from it where a run that
    # this sender may not see had it first; then ``sent_trace_id`` is the sender's.
    stored_trace_id: Mapped[bytes] = mapped_column("trace_id", LargeBinary(16))
    sent_trace_id: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    external_id: Mapped[str | None] = mapped_column(String(200))
    # What the sender sent, so that the same report twice is told from another one.
    content_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    session_id: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[ExecutionStatus] = mapped_column(text_enum(ExecutionStatus, "status"))
    source: Mapped[ExecutionSource] = mapped_column(text_enum(ExecutionSource, "source"))
    model_name: Mapped[str | None] = mapped_column(String(200))
    preview: Mapped[str | None] = mapped_column(String(200))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    latency_ms: Mapped[int | None]
    span_count: Mapped[int] = mapped_column(default=0, server_default="0")
    error_count: Mapped[int] = mapped_column(default=0, server_default="0")
    tags: Mapped[list[str]] = mapped_column(
        ARRAY(String(64)), default=list, server_default=text("'{}'")
    )
    error_type: Mapped[str | None] = mapped_column(String(200))
    # Fields of ``Usage`` that the sender said of the whole run: no later step changes them.
    totals_reported: Mapped[list[str]] = mapped_column(
        ARRAY(String(32)), default=list, server_default=text("'{}'")
    )
    reported_by_user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL")
    )
    reported_by_key_id: Mapped[int | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="SET NULL")
    )

    agent: Mapped[Agent] = relationship(lazy="raise")
    agent_revision: Mapped[AgentRevision | None] = relationship(lazy="raise")

    @property
    def trace_id(self) -> bytes:
        """As the sender knows it."""
        return self.sent_trace_id or self.stored_trace_id

    @property
    def trace_hex(self) -> str:
        return self.trace_id.hex()

    def __str__(self) -> str:
        return f"run {self.trace_hex[:8]}"


class ExecutionBody(Base):
    """Input, output, error and metadata of a run, and the words to find it by."""

    __tablename__ = "execution_bodies"
    __table_args__ = (
        PrimaryKeyConstraint("execution_id", "started_at"),
        Index("ix_execution_bodies_search", "search", postgresql_using="gin"),
        # Whose words are still to be gathered.
        Index(
            "ix_execution_bodies_unsearched",
            "execution_id",
            postgresql_where=text("search IS NULL"),
        ),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )

    execution_id: Mapped[int] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
    input: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # any JSON value
    output: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))  # any JSON value
    error: Mapped[str | None] = mapped_column(Text)
    # "metadata" is taken by SQLAlchemy's declarative base.
    details: Mapped[JsonObject | None]
    search: Mapped[str | None] = mapped_column(TSVECTOR, deferred=True)
