"""First answers to repeated requests, claimed in the effect's own transaction."""

from datetime import datetime

from sqlalchemy import Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, JsonObject


class IdempotencyKey(Identified, Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (
        UniqueConstraint("actor", "method", "route", "key"),
        Index("ix_idempotency_keys_expires_at", "expires_at"),
    )

    actor: Mapped[str] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(8))
    route: Mapped[str] = mapped_column(String(200))
    key: Mapped[str] = mapped_column(String(255))
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[JsonObject | None]
    location: Mapped[str | None] = mapped_column(String(300))
    expires_at: Mapped[datetime]

    def __str__(self) -> str:
        return self.key
