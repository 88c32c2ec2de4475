"""Messages to endpoints as they are listed and read."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from app.models.webhook_deliveries import DeliveryStatus
from app.schemas.base import CursorQuery, Output, blank_to_none


class WebhookDeliveryQuery(CursorQuery):
    """Newest first."""

    status: Annotated[DeliveryStatus | None, BeforeValidator(blank_to_none)] = None
    """Messages that stand here."""


class WebhookDeliveryRead(Output):
    """``event_id`` is the ``webhook-id`` header: the same at every try."""

    id: int
    endpoint_id: int
    event_id: str
    event_type: str
    status: DeliveryStatus
    attempts: int
    attempted_at: datetime | None
    next_at: datetime | None
    duration_ms: int | None
    response_status: int | None
    error: str | None
    created_at: datetime


class WebhookDeliveryDetail(WebhookDeliveryRead):
    """With what was sent, and the first characters of what was answered."""

    payload: dict[str, Any]
    response_excerpt: str | None
