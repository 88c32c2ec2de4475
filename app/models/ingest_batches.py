"""Receipts of what runtimes sent by OpenTelemetry."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class IngestBatch(Identified, Base):
    """One request: who sent it, how much, and what became of it."""

    __tablename__ = "ingest_batches"
    __table_args__ = (
        Index("ix_ingest_batches_created_at_id", "created_at", "id"),
        Index("ix_ingest_batches_user_id_id", "user_id", "id"),
    )

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int]
    span_count: Mapped[int]
    rejected_count: Mapped[int]
    execution_count: Mapped[int]

    def __str__(self) -> str:
        return f"batch {self.id}"
