"""Who changed what, when, through which door. Append-only: a trigger refuses the rest."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.actor import Via
from app.models.base import Base, JsonObject, text_enum

# What machines send all day. Written out, so that the database knows its index by these words.
WITHOUT_BATCHES = text("action NOT IN ('create_batch', 'ingest')")


class AuditEvent(Base):
    """No foreign keys: the record outlives what it speaks of."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_at_id", "at", "id"),
        Index("ix_audit_events_resource_resource_id_id", "resource", "resource_id", "id"),
        Index("ix_audit_events_actor_user_id_id", "actor_user_id", "id"),
        Index("ix_audit_events_action_id", "action", "id"),
        Index("ix_audit_events_via_id", "via", "id"),
        Index("ix_audit_events_actor_api_key_id_id", "actor_api_key_id", "id"),
        Index("ix_audit_events_request_id_id", "request_id", "id"),
        Index("ix_audit_events_ip_id", "ip", "id"),
        Index(
            "ix_audit_events_at_id_without_batches", "at", "id", postgresql_where=WITHOUT_BATCHES
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor_user_id: Mapped[int | None]
    actor_api_key_id: Mapped[int | None]
    via: Mapped[Via] = mapped_column(text_enum(Via, "via"))
    action: Mapped[str] = mapped_column(String(64))
    resource: Mapped[str] = mapped_column(String(64))
    resource_id: Mapped[int | None]
    # The name at that time, so that the log reads well after a rename or a delete.
    label: Mapped[str | None] = mapped_column(String(300))
    changes: Mapped[JsonObject]
    reason: Mapped[str | None] = mapped_column(String(500))
    request_id: Mapped[str | None] = mapped_column(String(64))
    ip: Mapped[str | None] = mapped_column(String(64))

    def __str__(self) -> str:
        return f"{self.action} {self.resource} {self.resource_id or ''}".strip()
