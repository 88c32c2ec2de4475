"""Where a person's data was erased in the audit log: what keeps the chain over it verifiable."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditErasure(Base):
    """Of one event, each time. ``digest`` is what the event hashed to before, ``erased_digest``
    what it does since; the signature binds the two, so that nobody else can swap an event.
    """

    __tablename__ = "audit_erasures"
    __table_args__ = (Index("ix_audit_erasures_event_id", "event_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[int]
    erased_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    erased_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(32))
    key_id: Mapped[str] = mapped_column(String(16))

    def __str__(self) -> str:
        return f"erasure in event {self.event_id}"
