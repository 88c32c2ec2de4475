"""Log records that tell of a span, kept a while: the span may come later, or once more."""

from datetime import datetime

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, JsonObject


class SpanLog(Base):
    """An event of a span. ``sha256`` is of who sent it and what it says.

    ``user_id``, ``agent_id`` (the only one of the key) and ``sees_all`` say whose runs the sender
    may write to; ``execution_id`` is there once the span has it.
    """

    __tablename__ = "span_logs"
    __table_args__ = (
        UniqueConstraint("trace_id", "span_id", "sha256"),
        Index("ix_span_logs_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    span_id: Mapped[bytes] = mapped_column(LargeBinary(8))
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    time_ns: Mapped[int]
    name: Mapped[str] = mapped_column(String(100))
    attributes: Mapped[JsonObject]
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    agent_id: Mapped[int | None]
    sees_all: Mapped[bool]
    execution_id: Mapped[int | None] = mapped_column(
        ForeignKey("executions.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
