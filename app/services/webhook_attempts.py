"""One try to send a message, seen from the worker; and what the clock does with messages."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.signing import signed_headers
from app.core.texts import lazy
from app.exceptions import Invalid
from app.models import DeliveryStatus, Job, JobStatus, WebhookDelivery, WebhookEndpoint
from app.models.base import JsonObject
from app.models.jobs import OPEN_JOBS
from app.services.job_attempts import Attempt
from app.services.webhook_endpoints import WebhookEndpointService

EXCERPT_CHARACTERS, ERROR_CHARACTERS = 1_000, 500
# An endpoint that took nothing for so long is not asked any more.
GIVEN_UP_AFTER = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signed message, ready to be sent."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try; ``status`` is the answer's, where there was one."""

    duration_ms: int
    status: int | None = None
    excerpt: str | None = None
    error: str | None = None


def body_of(payload: JsonObject) -> bytes:
    """The same bytes at every try: jsonb keeps one order of its names."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


class WebhookAttemptService:
    """For the product itself, inside the steps of a job."""

    resource = "webhook_deliveries"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.endpoints = WebhookEndpointService(session, actor, settings)

    async def _held(self, attempt: Attempt) -> WebhookDelivery | None:
        """The message of the job, locked; ``None`` when another job sends it, or it is gone."""
        statement = (
            select(WebhookDelivery)
            .where(
                WebhookDelivery.id == attempt.params["delivery_id"],
                WebhookDelivery.job_id == attempt.job_id,
            )
            .options(joinedload(WebhookDelivery.endpoint))
            .with_for_update(of=WebhookDelivery)
            .execution_options(populate_existing=True)
        )
        return await self.session.scalar(statement)

    async def begin(self, attempt: Attempt) -> Outgoing | None:
        """The message to send, its try counted; ``None`` when there is nothing to send.

        Raise ``Invalid`` when its secret cannot be read any more.
        """
        row, now = await self._held(attempt), await database_now(self.session)
        if row is None:
            return None
        row.next_at, endpoint = None, row.endpoint
        if not endpoint.is_active or endpoint.deleted_at is not None:
            row.status, row.error = DeliveryStatus.CANCELLED, "The endpoint takes no messages."
            await self.session.flush()
            return None
        row.status, row.attempts, row.attempted_at = DeliveryStatus.PENDING, row.attempts + 1, now
        await self.session.flush()  # the try is on record before anything leaves
        return self._signed(row, now)

    def _signed(self, row: WebhookDelivery, now: datetime) -> Outgoing:
        body, secrets = body_of(row.payload), self.endpoints.secrets_of(row.endpoint, now)
        if not secrets:
            raise Invalid(lazy("The secret was encrypted by a SECRET_KEY that is gone. Rotate it."))
        headers = signed_headers(secrets, row.event_id, int(now.timestamp()), body)
        return Outgoing(row.endpoint.url, headers | {"content-type": "application/json"}, body)

    async def succeed(self, attempt: Attempt, outcome: Outcome) -> None:
        row = await self._held(attempt)
        if row is None:
            return
        self._note(row, outcome)
        row.status = DeliveryStatus.SUCCEEDED
        await self.session.flush()
        await self._note_health(row.endpoint_id, failing=False)

    async def fail(self, attempt: Attempt, outcome: Outcome, pause: timedelta | None) -> None:
        """Try again after ``pause``; without one this was the last."""
        row = await self._held(attempt)
        if row is None:
            return
        self._note(row, outcome)
        now = await database_now(self.session)
        row.status = DeliveryStatus.FAILED if pause is None else DeliveryStatus.PENDING
        row.next_at = None if pause is None else now + pause
        await self.session.flush()
        await self._note_health(row.endpoint_id, failing=True)
        since = row.endpoint.failing_since
        if pause is None and since is not None and since < now - GIVEN_UP_AFTER:
            await self.disable(row.endpoint, f"Nothing was taken since {since:%d %B %Y}.")

    async def disable(self, endpoint: WebhookEndpoint, reason: str) -> None:
        if endpoint.is_active and endpoint.deleted_at is None:
            await self.endpoints.disable(endpoint.id, reason)

    async def gone(self, attempt: Attempt) -> None:
        """The receiver says that it wants no more, ever (410)."""
        row = await self._held(attempt)
        if row is not None:
            await self.disable(row.endpoint, "It answered 410 Gone.")

    @staticmethod
    def _note(row: WebhookDelivery, outcome: Outcome) -> None:
        excerpt = (outcome.excerpt or "").replace("\x00", "")[:EXCERPT_CHARACTERS]
        row.duration_ms, row.response_status = outcome.duration_ms, outcome.status
        row.response_excerpt = excerpt or None
        row.error = outcome.error and outcome.error[:ERROR_CHARACTERS]

    async def _note_health(self, endpoint_id: int, *, failing: bool) -> None:
        """Bookkeeping, not a change: no version moves, and nothing is written twice."""
        since = WebhookEndpoint.failing_since
        await self.session.execute(
            update(WebhookEndpoint)
            .where(
                WebhookEndpoint.id == endpoint_id,
                since.is_(None) if failing else since.is_not(None),
            )
            .values(
                failing_since=func.clock_timestamp() if failing else None,
                updated_at=WebhookEndpoint.updated_at,
            )
            .execution_options(synchronize_session=False)
        )


class WebhookUpkeepService:
    """What the clock does with messages; safe to repeat."""

    resource = "webhook_deliveries"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def settle(self) -> None:
        """End messages whose job has ended without them: by hand, or dead in the middle."""
        is_cancelled = Job.status == JobStatus.CANCELLED
        await self.session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.status == DeliveryStatus.PENDING,
                WebhookDelivery.job_id == Job.id,
                Job.status.not_in(OPEN_JOBS),
            )
            .values(
                status=case((is_cancelled, DeliveryStatus.CANCELLED), else_=DeliveryStatus.FAILED),
                error=func.left(func.coalesce(Job.error, "Its job was ended."), ERROR_CHARACTERS),
                next_at=None,
            )
            .execution_options(synchronize_session=False)
        )
