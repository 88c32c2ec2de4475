"""Webhook endpoints: read and trashed here. They are made where their secret can be shown once."""

from typing import ClassVar

from app.admin.actions import TrashView
from app.admin.base import Names
from app.admin.filters import YES_NO, Filter
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import User, WebhookEndpoint
from app.services.webhook_endpoints import WebhookEndpointService


class WebhookEndpointView(TrashView, model=WebhookEndpoint):
    name, name_plural, icon = lazy("Webhook endpoint"), lazy("Webhook endpoints"), "webhook"
    about = lazy("Addresses that are told what happens here.")
    service = WebhookEndpointService
    sensitive = True
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.WEBHOOKS_READ,
        "details": Permission.WEBHOOKS_READ,
        "export": Permission.WEBHOOKS_READ,
        "delete": Permission.WEBHOOKS_MANAGE,
        "action:trash": Permission.WEBHOOKS_MANAGE,
        "action:restore": Permission.WEBHOOKS_MANAGE,
    }
    columns = ("id", "url", "description", "is_active", "failing_since", "user_id", "created_at")
    more_columns = ("events", "disabled_reason", "old_secret_until", "updated_at", "row_version")
    labels: ClassVar[dict[str, str]] = {"user_id": lazy("Made by"), "url": lazy("Address")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (Filter("is_active", lazy("Active"), YES_NO),)
    page_path = "/webhooks"
