"""Whose turn it is: an endpoint that does not answer must not hold the places of all the others."""

from datetime import datetime, timedelta
from secrets import SystemRandom

from sqlalchemy import BigInteger, Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import DeliveryStatus, Job, JobKind, JobStatus, WebhookDelivery, WebhookEndpoint

AT_ONCE = 2  # to one endpoint, from all workers
LOCK = 7_302_413
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
# Those that wait for an endpoint that fails look this often, all of them together.
LOOKS_PER_S = 10
COUNTED = 1_000
RANDOM = SystemRandom()


async def turn_of_delivery(session: AsyncSession, job: Job) -> timedelta | None:
    """How long a message is to wait before it is asked about again; ``None``: it may go now.

    To be asked in the transaction that marks the job as running: until its end no other worker
    is told of a free place at this endpoint.
    """
    endpoint = await endpoint_of(session, job)
    if endpoint is None:
        return None  # gone; there is nothing to send
    await session.execute(select(func.pg_advisory_xact_lock(LOCK, endpoint.id)))
    if await going_out(session, endpoint.id, job.id) < AT_ONCE:
        return None
    wait_s = FIRST_WAIT_S
    if endpoint.failing_since is not None:
        waiting = await pending_at(session, endpoint.id)
        wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, waiting / LOOKS_PER_S))
    return timedelta(seconds=wait_s * RANDOM.uniform(0.5, 1.5))


async def endpoint_of(session: AsyncSession, job: Job) -> Row[int, datetime | None] | None:
    statement = (
        select(WebhookEndpoint.id, WebhookEndpoint.failing_since)
        .join(WebhookDelivery, WebhookDelivery.endpoint_id == WebhookEndpoint.id)
        .where(WebhookDelivery.id == job.params["delivery_id"])
    )
    return (await session.execute(statement)).first()


async def going_out(session: AsyncSession, endpoint_id: int, but: int) -> int:
    """How many other messages are on their way to it. Few jobs run, so few are looked at."""
    sent = Job.params["delivery_id"].astext.cast(BigInteger)
    statement = (
        select(func.count())
        .select_from(Job)
        .join(WebhookDelivery, WebhookDelivery.id == sent)
        .where(
            Job.status == JobStatus.RUNNING,
            Job.kind == JobKind.DELIVER_WEBHOOK,
            Job.id != but,
            WebhookDelivery.endpoint_id == endpoint_id,
        )
    )
    return await session.scalar(statement) or 0


async def pending_at(session: AsyncSession, endpoint_id: int) -> int:
    """How many of its messages wait, counted no further than ``COUNTED``."""
    pending = (
        select(WebhookDelivery.id)
        .where(
            WebhookDelivery.endpoint_id == endpoint_id,
            WebhookDelivery.status == DeliveryStatus.PENDING,
        )
        .limit(COUNTED)
    )
    return await session.scalar(select(func.count()).select_from(pending.subquery())) or 0
