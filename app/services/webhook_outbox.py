"""The outbox of webhooks: messages are stored with the change that they tell of, or not at all."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import before_commit, memories_of
from app.core.remembered import WEBHOOK_TABLES, always
from app.core.security import new_message_id
from app.models import JobKind, WebhookDelivery, WebhookEndpoint
from app.models.base import JsonObject, table_of
from app.services.job_queue import JobQueue, JobRequest
from app.services.webhook_events import Change, data_of, events_of

WAITING, TELL_NOBODY = "webhook_deliveries", "tell_nobody"
Wanted = Mapping[str, Sequence[int]]  # event type: ids of endpoints
ENDPOINT = table_of(WebhookEndpoint)
ACTIVE = select(ENDPOINT.c.id, ENDPOINT.c.events).where(
    ENDPOINT.c.is_active, ENDPOINT.c.deleted_at.is_(None)
)


def tell_nobody(session: AsyncSession) -> None:
    """What happens in this session is invented: receivers outside hear nothing of it."""
    session.info[TELL_NOBODY] = True


async def note_change(session: AsyncSession, actor: Actor, change: Change) -> None:
    """Store a message for each endpoint that wants to know of this change.

    Where none does, that is known without a look at the database.
    """
    await note_changes(session, actor, [change])


async def note_changes(session: AsyncSession, actor: Actor, changes: Sequence[Change]) -> None:
    """As ``note_change``, looking once at who wants to know."""
    told = [(event, change) for change in changes for event in events_of(change)]
    if not told or TELL_NOBODY in session.info:
        return
    wanted = await wanted_by(session)
    for event, change in told:
        if endpoint_ids := wanted.get(event.value):
            message = message_of(event.value, data_of(change))
            put(session, actor, [delivery(each, message) for each in endpoint_ids])


async def wanted_by(session: AsyncSession) -> Wanted:
    """Which endpoints want which events; remembered for seconds, forgotten with any change."""
    memory = memories_of(session).of("webhooks", WEBHOOK_TABLES, 1)
    found: Wanted | None = memory.get(None)
    if found is None:
        found = await memory.read(None, lambda: read_wanted(session), always)
    return found or {}


async def read_wanted(session: AsyncSession) -> Wanted:
    wanted: dict[str, list[int]] = {}
    for endpoint_id, events in await session.execute(ACTIVE):
        for event in events:
            wanted.setdefault(event, []).append(endpoint_id)
    return wanted


def message_of(event_type: str, data: JsonObject) -> JsonObject:
    """The body, as Standard Webhooks 1.0 lays it out, and ``id`` for its header."""
    return {
        "id": new_message_id(),
        "type": event_type,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "data": data,
    }


def delivery(endpoint_id: int, message: JsonObject) -> WebhookDelivery:
    body = {name: value for name, value in message.items() if name != "id"}
    return WebhookDelivery(
        endpoint_id=endpoint_id, event_id=message["id"], event_type=message["type"], payload=body
    )


def put(session: AsyncSession, actor: Actor, deliveries: Sequence[WebhookDelivery]) -> None:
    """Add them to the session: a savepoint that is rolled back takes its messages with it."""
    session.add_all(deliveries)
    if WAITING not in session.info:
        before_commit(session, partial(queue_up, actor=actor))
    session.info.setdefault(WAITING, []).extend(deliveries)


async def queue_up(session: AsyncSession, actor: Actor) -> None:
    """A job for each message of this transaction, all of them together."""
    waiting: list[WebhookDelivery] = session.info.pop(WAITING)
    await session.flush()  # jobs name their messages by id
    await ask_for(session, actor, [row for row in waiting if inspect(row).persistent])


def id_of(row: WebhookDelivery) -> int:
    """Also where its other values are expired and would have to be read again."""
    identity = inspect(row).identity
    return row.id if identity is None else int(identity[0])


async def ask_for(
    session: AsyncSession, actor: Actor, deliveries: Sequence[WebhookDelivery]
) -> None:
    """From now on only these jobs send these messages."""
    if not deliveries:
        return
    requests = [
        JobRequest(JobKind.DELIVER_WEBHOOK, {"delivery_id": id_of(row)}, by_product=True)
        for row in deliveries
    ]
    jobs = await JobQueue(session, actor).add(requests)
    for row, job in zip(deliveries, jobs, strict=True):
        row.job_id = job.id
    await session.flush()
