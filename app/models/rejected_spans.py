"""Spans and events that could not be stored, kept for a while with the reason, to send again."""

from datetime import UTC, datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, JsonObject
from app.models.ingest_batches import IngestBatch


class RejectedSpan(Identified, Base):
    """``request`` is OTLP's JSON with this one span or log record.

    From ``sendable_at`` on it may be sent again; without, it can never be stored as it is.
    """

    __tablename__ = "rejected_spans"
    __table_args__ = (Index("ix_rejected_spans_batch_id_id", "batch_id", "id"),)

    batch_id: Mapped[int] = mapped_column(ForeignKey("ingest_batches.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(String(500))
    name: Mapped[str] = mapped_column(String(300))
    request: Mapped[JsonObject]
    sendable_at: Mapped[datetime | None]

    batch: Mapped[IngestBatch] = relationship(lazy="raise")

    @property
    def is_sendable(self) -> bool:
        return self.sendable_at is not None and self.sendable_at <= datetime.now(UTC)

    def __str__(self) -> str:
        return self.name
