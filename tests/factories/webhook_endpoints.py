"""Webhook endpoints whose secret the test knows, and messages to them."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from app.schemas.webhook_endpoints import WebhookEndpointCreate
from app.services.webhook_deliveries import WebhookDeliveryService
from app.services.webhook_endpoints import Issued, WebhookEndpointService
from tests.conftest import actor_for, settings_for
from tests.factories.users import make_user
from tests.receiver import reaching_loopback

EVERYTHING = [event.value for event in WebhookEvent]
# Secrets are sealed with the tests' key, whatever the database; receivers are on this machine.
SETTINGS = reaching_loopback(settings_for("postgresql+asyncpg://"))


async def make_webhook_endpoint(
    session: AsyncSession, actor: Actor | None = None, **values: Any
) -> Issued:
    """An endpoint of a superuser, told of everything unless it is said otherwise."""
    maker = actor or actor_for(await make_user(session, Role.SUPERUSER))
    data = {"url": "https://hooks.example.com/greenroom", "events": EVERYTHING}
    endpoints = WebhookEndpointService(session, maker, SETTINGS)
    return await endpoints.register(WebhookEndpointCreate.model_validate(data | values))


async def make_webhook_delivery(
    session: AsyncSession, actor: Actor, endpoint: WebhookEndpoint
) -> WebhookDelivery:
    """A test message on its way."""
    return await WebhookDeliveryService(session, actor).send_test(endpoint)
