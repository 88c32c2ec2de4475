"""Messages to endpoints, as people see them: listed, sent again, tried out."""

from collections.abc import Sequence

from sqlalchemy import Select, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Conflict, NotFound
from app.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from app.models.webhook_endpoints import TEST_EVENT
from app.schemas.webhook_deliveries import WebhookDeliveryQuery
from app.services.audit_events import AuditEventService
from app.services.jobs import JobService
from app.services.paging import Slice, parse_sort, read_slice
from app.services.webhook_endpoints import WebhookEndpointService
from app.services.webhook_outbox import ask_for, delivery, message_of, put


class WebhookDeliveryService:
    """Callers hand over an endpoint that they may see."""

    resource = "webhook_deliveries"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    def visible(self) -> Select[WebhookDelivery]:
        """Those of endpoints that are not in the trash, for who may see endpoints."""
        endpoints = WebhookEndpointService(self.session, self.actor).visible()
        ids = endpoints.with_only_columns(WebhookEndpoint.id)
        return select(WebhookDelivery).where(WebhookDelivery.endpoint_id.in_(ids))

    def of(self, endpoint: WebhookEndpoint) -> Select[WebhookDelivery]:
        self.actor.require(Permission.WEBHOOKS_READ)
        return select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id)

    async def list_slice(
        self, endpoint: WebhookEndpoint, query: WebhookDeliveryQuery
    ) -> Slice[WebhookDelivery]:
        """Newest first: one query."""
        statement = self.of(endpoint)
        if query.status is not None:
            statement = statement.where(WebhookDelivery.status == query.status)
        columns = {"created_at": WebhookDelivery.created_at}
        sort = parse_sort(None, columns, WebhookDelivery.id, "-created_at")
        return await read_slice(self.session, statement, sort, query.cursor, query.limit)

    async def get(
        self, endpoint: WebhookEndpoint, delivery_id: int, *, lock: bool = False
    ) -> WebhookDelivery:
        statement = self.of(endpoint).where(WebhookDelivery.id == delivery_id)
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        row = await self.session.scalar(statement)
        if row is None:
            raise NotFound(lazy("There is no such delivery; old ones are removed."))
        return row

    async def latest(self, endpoint_ids: Sequence[int]) -> dict[int, WebhookDelivery]:
        """The newest message of each of these endpoints: one query."""
        newest = (
            select(WebhookDelivery)
            .where(WebhookDelivery.endpoint_id == WebhookEndpoint.id)
            .order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
            .limit(1)
            .lateral()
        )
        found = aliased(WebhookDelivery, newest)
        statement = select(found).select_from(WebhookEndpoint).join(newest, true())
        rows = await self.session.scalars(statement.where(WebhookEndpoint.id.in_(endpoint_ids)))
        return {row.endpoint_id: row for row in rows}

    async def send_test(self, endpoint: WebhookEndpoint) -> WebhookDelivery:
        """Send a message that says nothing but that it arrives."""
        self._require_active(endpoint)
        message = message_of(TEST_EVENT, {"endpoint_id": endpoint.id})
        row = delivery(endpoint.id, message)
        put(self.session, self.actor, [row])
        await self.session.flush()  # the page that follows names it by id
        self.audit.record("send_test", self.resource, row, {"endpoint_id": [None, endpoint.id]})
        return row

    async def redeliver(self, endpoint: WebhookEndpoint, delivery_id: int) -> WebhookDelivery:
        """Send it now, under the same id, with all its tries before it.

        One that waits for its next try does not wait any longer. Raise ``Conflict`` while the
        endpoint is disabled.
        """
        self._require_active(endpoint)
        # The job first, as the worker does, or the two could wait for each other.
        await self._call_off(await self.get(endpoint, delivery_id))
        row = await self.get(endpoint, delivery_id, lock=True)
        changes = {"status": [row.status.value, DeliveryStatus.PENDING.value]}
        row.status, row.next_at = DeliveryStatus.PENDING, None
        await ask_for(self.session, self.actor, [row])
        self.audit.record("redeliver", self.resource, row, changes)
        return row

    def _require_active(self, endpoint: WebhookEndpoint) -> None:
        self.actor.require(Permission.WEBHOOKS_RUN)
        if not endpoint.is_active:
            raise Conflict(lazy("This endpoint is disabled. Enable it first."))

    async def _call_off(self, row: WebhookDelivery) -> None:
        """Two jobs must not send one message."""
        jobs = JobService(self.session, self.actor)
        job = None if row.job_id is None else await jobs.find(row.job_id)
        if job is not None and job.is_open and not job.cancel_requested:
            await jobs.cancel(job.id)
