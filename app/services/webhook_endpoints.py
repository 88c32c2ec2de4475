"""Webhook endpoints: who is told of what, and the secrets that messages are signed with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, inspect, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.keys import SecretBox
from app.core.permissions import Permission
from app.core.signing import new_webhook_secret
from app.core.texts import lazy, mark
from app.exceptions import Conflict, Invalid
from app.models import User, WebhookEndpoint
from app.schemas.base import PageQuery
from app.schemas.webhook_endpoints import WebhookEndpointCreate, WebhookEndpointUpdate
from app.services.base import BaseService
from app.services.reachable import check_callable

BOX = "webhooks"
MAX_ENDPOINTS = 50  # each change is written once for every endpoint that wants it


@dataclass(frozen=True, slots=True)
class Issued:
    """An endpoint and its new secret, which is readable in no other place."""

    endpoint: WebhookEndpoint
    secret: str


class WebhookEndpointService(
    BaseService[WebhookEndpoint, WebhookEndpointCreate, WebhookEndpointUpdate]
):
    model = WebhookEndpoint
    resource = "webhook_endpoints"
    noun = mark("webhook endpoint")
    readable = Permission.WEBHOOKS_READ
    writable = Permission.WEBHOOKS_MANAGE
    deletable = Permission.WEBHOOKS_MANAGE
    filters = ("is_active",)

    def __init__(
        self, session: AsyncSession, actor: Actor, settings: Settings | None = None
    ) -> None:
        """Without settings endpoints are read, trashed and restored, but none is made."""
        super().__init__(session, actor)
        self._settings = settings

    def loads(self) -> Sequence[ExecutableOption]:
        return (joinedload(WebhookEndpoint.user).load_only(User.full_name),)

    def matching(self, query: PageQuery) -> Select[WebhookEndpoint]:
        statement = super().matching(query.model_copy(update={"q": None}))
        event = getattr(query, "event", None)
        if event is not None:
            statement = statement.where(WebhookEndpoint.events.contains([event.value]))
        if not query.q:
            return statement
        columns = (WebhookEndpoint.url, WebhookEndpoint.description)
        return statement.where(or_(*(c.icontains(query.q, autoescape=True) for c in columns)))

    async def troubled(self, limit: int) -> Sequence[WebhookEndpoint]:
        """Those that take nothing, and those that were switched off for it; the newest trouble
        first. There are no more than ``MAX_ENDPOINTS`` to look through."""
        trouble = case(
            (WebhookEndpoint.is_active, WebhookEndpoint.failing_since.is_not(None)),
            else_=WebhookEndpoint.disabled_reason.is_not(None),
        )
        newest = WebhookEndpoint.failing_since.desc().nulls_last()
        statement = self.visible().where(trouble).order_by(newest, WebhookEndpoint.id)
        return (await self.session.scalars(statement.limit(limit))).all()

    async def register(self, data: WebhookEndpointCreate) -> Issued:
        """A new endpoint and its secret. Raise ``Conflict`` when there are too many."""
        self.require(self.writable)
        if await self.count() >= MAX_ENDPOINTS:
            raise Conflict(
                lazy(
                    "There are %(max_endpoints)s endpoints; remove one that is not needed.",
                    max_endpoints=MAX_ENDPOINTS,
                )
            )
        self._secret = new_webhook_secret()
        return Issued(await self.create(data), self._secret)

    async def rotate(self, endpoint_id: int, overlap: timedelta) -> Issued:
        """A new secret; messages are signed with both for ``overlap``, then with the new alone."""
        self.require(self.writable)
        endpoint = await self.get(endpoint_id, lock=True)
        secret, now = new_webhook_secret(), await database_now(self.session)
        keeps_old = overlap > timedelta(0)
        endpoint.sealed_old_secret = endpoint.sealed_secret if keeps_old else None
        endpoint.old_secret_until = now + overlap if keeps_old else None
        endpoint.sealed_secret = self._box().seal(secret)
        await self.save("rotate", endpoint)
        return Issued(endpoint, secret)

    def _box(self) -> SecretBox:
        if self._settings is None:
            raise RuntimeError("Secrets of webhooks need the settings.")
        return SecretBox(self._settings, BOX)

    async def values_for(
        self, data: WebhookEndpointCreate | WebhookEndpointUpdate
    ) -> dict[str, Any]:
        values = await super().values_for(data)
        if "events" in values:
            values["events"] = [event.value for event in data.events]
        if isinstance(data, WebhookEndpointCreate):
            values["sealed_secret"] = self._box().seal(self._secret)
        return values

    async def check(self, row: WebhookEndpoint) -> None:
        """Who is switched on again starts anew.

        Raise ``Invalid`` for plain http in production, and for a number of a private network.
        """
        in_production = self._settings is not None and self._settings.is_production
        if in_production and not row.url.startswith("https://"):
            raise Invalid(lazy("must be an https address"), field="url")
        if self._settings is not None and inspect(row).attrs.url.history.added:
            check_callable(row.url, self._settings, field="url")
        if row.is_active and row.disabled_reason is not None:
            row.disabled_reason = row.failing_since = None

    def secrets_of(self, endpoint: WebhookEndpoint, now: datetime) -> list[str]:
        """What to sign with, the newest first; none when the key that sealed them is gone."""
        sealed = [endpoint.sealed_secret]
        until = endpoint.old_secret_until
        if endpoint.sealed_old_secret is not None and until is not None and until > now:
            sealed.append(endpoint.sealed_old_secret)
        box = self._box()
        return [secret for each in sealed if (secret := box.open(each)) is not None]

    async def disable(self, endpoint_id: int, reason: str) -> WebhookEndpoint:
        """Send nothing more. Raise ``Conflict`` when it is disabled already."""
        self.require(self.writable)
        endpoint = await self.get(endpoint_id, lock=True)
        if not endpoint.is_active:
            raise Conflict(lazy("This endpoint is disabled already."))
        endpoint.is_active, endpoint.disabled_reason = False, reason
        await self.save("disable", endpoint, note=reason)
        return endpoint

    async def enable(self, endpoint_id: int) -> WebhookEndpoint:
        """Send what happens from now on. Raise ``Conflict`` when it is not disabled."""
        self.require(self.writable)
        endpoint = await self.get(endpoint_id, lock=True)
        if endpoint.is_active:
            raise Conflict(lazy("This endpoint is not disabled."))
        endpoint.is_active = True
        await self.save("enable", endpoint)
        return endpoint
