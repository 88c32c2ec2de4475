"""The chain over the audit log: each seal holds a digest of its events and of the seal before."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditSeal(Base):
    """Append-only as the events are; ids name which events, because commits come out of order."""

    __tablename__ = "audit_seals"
    __table_args__ = (Index("ix_audit_seals_sealed_at", "sealed_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sealed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    chain_sha256: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # HMAC under a key derived from SECRET_KEY: who can write the table alone cannot make one.
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))
    key_id: Mapped[str] = mapped_column(String(16))

    def __str__(self) -> str:
        return f"seal {self.id}"
