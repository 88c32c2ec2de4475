"""What people and programs say of a run, or of one of its steps."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import ForeignKey, Index, LargeBinary, Numeric, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, text_enum


class FeedbackSource(StrEnum):
    """How it came."""

    PERSON = "person"
    API = "api"
    OTLP = "otlp"


class Feedback(Base):
    """A score or a note on a run. ``sha256`` is of what came with a span, which comes once."""

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_execution_id", "execution_id"),
        Index(
            "uq_feedback_execution_id_sha256",
            "execution_id",
            "sha256",
            unique=True,
            postgresql_where=text("sha256 IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    execution_id: Mapped[int] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    span_id: Mapped[bytes | None] = mapped_column(LargeBinary(8))
    name: Mapped[str] = mapped_column(String(100))
    value: Mapped[Decimal | None] = mapped_column(Numeric)
    label: Mapped[str | None] = mapped_column(String(200))
    comment: Mapped[str | None] = mapped_column(Text)
    source: Mapped[FeedbackSource] = mapped_column(
        text_enum(FeedbackSource, "source"), server_default=FeedbackSource.API
    )
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))

    @property
    def fingerprint(self) -> str:
        """Of what it says: who changes it shows by this what they have seen."""
        said = (self.name, self.value and self.value.normalize(), self.label, self.comment)
        return sha256(repr(said).encode()).hexdigest()[:16]
