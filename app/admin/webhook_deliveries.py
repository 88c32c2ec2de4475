"""Messages to webhook endpoints, read only: they are sent again on their page."""

from typing import Any, ClassVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.base import Names, ServiceView
from app.admin.filters import Filter, choices_of
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from app.services.webhook_deliveries import WebhookDeliveryService


class WebhookDeliveryView(ServiceView, model=WebhookDelivery):
    name, name_plural, icon = lazy("Webhook delivery"), lazy("Webhook deliveries"), "send"
    about = lazy("Messages to webhook endpoints, and what came of them.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.WEBHOOKS_READ,
        "details": Permission.WEBHOOKS_READ,
        "export": Permission.WEBHOOKS_READ,
    }
    columns = (
        "id",
        "endpoint_id",
        "event_type",
        "status",
        "attempts",
        "response_status",
        "created_at",
    )
    more_columns = ("event_id", "payload", "error", "attempted_at", "next_at", "duration_ms")
    names: ClassVar[dict[str, Names]] = {
        "endpoint_id": Names(WebhookEndpoint.url, Permission.WEBHOOKS_READ)
    }
    list_filters = (
        Filter("endpoint_id", lazy("Endpoint id")),
        Filter("status", lazy("Status"), choices_of(DeliveryStatus)),
    )

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        """Those of endpoints that this person may see."""
        return WebhookDeliveryService(session, actor).visible()
