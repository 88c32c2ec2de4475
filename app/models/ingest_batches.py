"""Receipts of what runtimes sent by OpenTelemetry."""

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.api_keys import ApiKey
from app.models.base import Base, Identified
from app.models.users import User


class IngestBatch(Identified, Base):
    """One request: who sent it, how much, and what became of it."""

    __tablename__ = "ingest_batches"
    __table_args__ = (
        Index("ix_ingest_batches_created_at_id", "created_at", "id"),
        Index("ix_ingest_batches_user_id_created_at_id", "user_id", "created_at", "id"),
        Index("ix_ingest_batches_api_key_id_created_at_id", "api_key_id", "created_at", "id"),
        Index(
            "ix_ingest_batches_rejected",
            "created_at",
            "id",
            postgresql_where=text("rejected_count > 0"),
        ),
    )

    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    media_type: Mapped[str] = mapped_column(String(100))
    size_bytes: Mapped[int]
    span_count: Mapped[int]
    # Spans and events that are not stored; those sent again with success are no longer counted.
    rejected_count: Mapped[int]
    execution_count: Mapped[int]
    # Log records that tell of a span.
    event_count: Mapped[int] = mapped_column(default=0, server_default="0")

    user: Mapped[User | None] = relationship(lazy="raise")
    api_key: Mapped[ApiKey | None] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"batch {self.id}"
