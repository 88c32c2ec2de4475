"""Messages to endpoints: written with the change that they tell of, then sent until taken."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified, JsonObject, text_enum
from app.models.webhook_endpoints import WebhookEndpoint


class DeliveryStatus(StrEnum):
    """``pending`` ones are tried, or tried again at ``next_at``; the others have ended."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WebhookDelivery(Identified, Base):
    """One message to one endpoint, and what came of the newest try.

    ``event_id`` is the ``webhook-id`` that receivers tell repetitions by: the same at every try.
    Only the job ``job_id`` may send it.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_created_at_id", "created_at", "id"),
        Index("ix_webhook_deliveries_endpoint_created", "endpoint_id", "created_at", "id"),
        Index(
            "ix_webhook_deliveries_endpoint_status_created",
            "endpoint_id",
            "status",
            "created_at",
            "id",
        ),
        Index("ix_webhook_deliveries_pending", "id", postgresql_where=text("status = 'pending'")),
    )

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(64))
    event_type: Mapped[str] = mapped_column(String(64))
    payload: Mapped[JsonObject]
    status: Mapped[DeliveryStatus] = mapped_column(
        text_enum(DeliveryStatus, "status"), default=DeliveryStatus.PENDING
    )
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    attempted_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None]
    response_status: Mapped[int | None]
    # The first characters of the answer's body.
    response_excerpt: Mapped[str | None] = mapped_column(String(1000))
    error: Mapped[str | None] = mapped_column(String(500))

    endpoint: Mapped[WebhookEndpoint] = relationship(lazy="raise")

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"
