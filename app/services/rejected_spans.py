"""Spans and events that were refused: read with the reason, sent again once that is gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, cast, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import hand_back
from app.core.database_errors import as_app_error
from app.core.events import Event, publish
from app.core.permissions import Permission, Role
from app.exceptions import AppError, Conflict, NotFound, Unavailable
from app.models import ApiKey, IngestBatch, RejectedSpan, User
from app.schemas.base import CursorQuery
from app.services.audit_events import AuditEventService
from app.services.ingest_batches import IngestBatchService
from app.services.ingestion.intake import TraceIntake
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.otlp.logs import decode_logs
from app.services.ingestion.prepared import Prepared, Pricing, prepare, prepare_logs
from app.services.ingestion.pricing import price_span
from app.services.ingestion.queue import REFUSED, IngestQueue
from app.services.ingestion.span_logs import SpanKey, SpanLogs
from app.services.paging import Slice, parse_sort, read_slice
from app.services.pricing import current_book

REPLAYED_AT_ONCE = 100
MAX_REASONS, MAX_REASON = 3, 500
MAX_BYTES = 8 * 1024 * 1024  # of their JSON, unless one span has more
NO_SPAN = "There is no span in it."
NONE_SENDABLE = "Of this batch nothing is kept that can be sent again now."
NONE_LEFT = "There is no such rejected span; it may have been sent again already."
SIZE = func.octet_length(cast(RejectedSpan.request, Text))


def sendable_now() -> ColumnElement[bool]:
    return RejectedSpan.sendable_at <= datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rejected spans to send again, and how many bytes of JSON they are."""

    ids: list[int]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it is refused again, and from when on it may be tried anew; ``None`` for never."""

    reason: str
    sendable_at: datetime | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many are stored now, were refused again, and are still kept; ``message`` says why."""

    stored: int
    refused: int
    left: int
    message: str


def read_again(request: dict[str, Any], pricing: Pricing) -> Prepared:
    body = orjson.dumps(request)
    if "resourceLogs" not in request:
        return prepare(decode_json(body), pricing)
    decoded = decode_logs(body, is_json=True)
    return prepare_logs(decoded.kept, decoded.rejected)


def refused_to_read(prepared: Prepared) -> Refused:
    if not prepared.rejected:
        return Refused(NO_SPAN, None)
    rejection = prepared.rejected[0]
    return Refused(rejection.reason[:MAX_REASON], rejection.sendable_at)


def refused_for_now(reason: str) -> Refused:
    """It waits behind those that were not tried since."""
    return Refused(reason[:MAX_REASON], datetime.now(UTC))


class RejectedSpanService:
    """Callers hand over a batch that they may see."""

    resource = "rejected_spans"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)
        self.sender = actor
        self.stored: set[SpanKey] = set()

    def of(self, batch: IngestBatch) -> Select[RejectedSpan]:
        return select(RejectedSpan).where(RejectedSpan.batch_id == batch.id)

    async def list_slice(self, batch: IngestBatch, query: CursorQuery) -> Slice[RejectedSpan]:
        """Newest first: one query."""
        columns = {"created_at": RejectedSpan.created_at}
        sort = parse_sort(None, columns, RejectedSpan.id, "-created_at")
        return await read_slice(self.session, self.of(batch), sort, query.cursor, query.limit)

    async def sendable_count(self, batch: IngestBatch) -> int:
        """How many of the batch may be sent again now."""
        count = self.of(batch).where(sendable_now()).with_only_columns(func.count())
        return await self.session.scalar(count) or 0

    async def replay(self, batch_id: int, ids: Sequence[int]) -> Replayed:
        """Send these spans again, to runs and agents of whoever sent them first.

        What is stored now is no longer kept; what is refused again keeps the new reason. Raise
        ``NotFound`` where none of them is there.
        """
        self.actor.require(Permission.EXECUTIONS_WRITE)
        batches = IngestBatchService(self.session, self.actor)
        batch = await batches.get(batch_id, lock=True)
        rows = await self._locked(batch, ids)
        self.sender = await self._sender_of(batch)
        refusals = {row.id: await self._refusal(row, self.sender) for row in rows}
        stored = [row_id for row_id, refused in refusals.items() if refused is None]
        for row in rows:
            if refused := refusals[row.id]:
                row.reason, row.sendable_at = refused.reason, refused.sendable_at
        await self._settle(batch, stored)
        still = list(dict.fromkeys(refused.reason for refused in refusals.values() if refused))
        left = await self.session.scalar(
            self.of(batch).with_only_columns(func.count()).order_by(None)
        )
        message = " ".join(still[:MAX_REASONS])
        return Replayed(len(stored), len(rows) - len(stored), left or 0, message)

    async def choose(self, batch_id: int, ids: Sequence[int]) -> Chosen:
        """Those of ``ids``, else of those that can be sent who waited longest: as many as at once.

        Raise ``NotFound`` where none of ``ids`` is there, ``Conflict`` where the batch has none.
        """
        batch = await IngestBatchService(self.session, self.actor).get(batch_id)
        statement = self.of(batch).with_only_columns(RejectedSpan.id, SIZE)
        statement = statement.where(RejectedSpan.id.in_(ids) if ids else sendable_now())
        order = (RejectedSpan.sendable_at, RejectedSpan.id)
        first = statement.order_by(*order).limit(REPLAYED_AT_ONCE)
        rows = (await self.session.execute(first)).all()
        if not rows:
            raise NotFound(NONE_LEFT) if ids else Conflict(NONE_SENDABLE)
        sums = list(accumulate(row[1] for row in rows))
        count = max(1, sum(size <= MAX_BYTES for size in sums))
        return Chosen([row[0] for row in rows[:count]], sums[count - 1])

    async def _locked(self, batch: IngestBatch, ids: Sequence[int]) -> list[RejectedSpan]:
        statement = self.of(batch).where(RejectedSpan.id.in_(ids)).order_by(RejectedSpan.id)
        rows = list(await self.session.scalars(statement.with_for_update()))
        if not rows:
            raise NotFound(NONE_LEFT)
        return rows

    async def _sender_of(self, batch: IngestBatch) -> Actor:
        """Who asks for it lends no rights: spans of others would get into runs of his own.

        A key that was limited to an agent still is.
        """
        limit = select(ApiKey.agent_id).where(ApiKey.id == batch.api_key_id)
        agent_id = self.actor.only_agent_id or await self.session.scalar(limit)
        limited = replace(self.actor, only_agent_id=agent_id)
        if batch.user_id in (None, self.actor.user_id):
            return limited
        role = await self.session.scalar(select(User.role).where(User.id == batch.user_id))
        return replace(
            limited,
            user_id=batch.user_id,
            api_key_id=batch.api_key_id,
            role=role or Role.MEMBER,
        )

    async def _refusal(self, row: RejectedSpan, sender: Actor) -> Refused | None:
        """Store it; why that is refused, or ``None``. Raise ``Unavailable``."""
        prepared = await self._read(row)
        if prepared.rejected or not prepared.size:
            return refused_to_read(prepared)
        try:
            async with self.session.begin_nested():
                return await self._store(prepared, sender)
        except AppError as error:
            if error.status >= 500:
                raise
            return refused_for_now(error.message)
        except Exception as error:
            if isinstance(as_app_error(error), Unavailable):
                raise
            return refused_for_now(REFUSED)

    async def _read(self, row: RejectedSpan) -> Prepared:
        book = await current_book(self.session)
        return await asyncio.to_thread(read_again, row.request, partial(price_span, book))

    async def _store(self, prepared: Prepared, sender: Actor) -> Refused | None:
        intake = TraceIntake(self.session, sender)
        await intake.store(list(prepared.traces.values()))
        refused = intake.rejected | await SpanLogs(self.session, sender).keep(prepared.logs)
        if refused:
            return refused_for_now(next(iter(refused.values())))
        spans = [trace.span_keys for trace in prepared.traces.values()]
        self.stored |= {log.key for log in prepared.logs}.union(*spans)
        return None

    async def _settle(self, batch: IngestBatch, stored: Sequence[int]) -> None:
        """What is stored is no longer rejected; that is on record with the change."""
        before = batch.rejected_count
        batch.rejected_count = max(0, before - len(stored))
        gone = delete(RejectedSpan).where(RejectedSpan.id.in_(stored))
        await self.session.execute(gone, execution_options={"synchronize_session": False})
        await self.session.flush()  # a refusal's new reason belongs to the same change
        changes = {"rejected_count": [before, batch.rejected_count], "stored": [None, len(stored)]}
        self.audit.record("replay", IngestBatchService.resource, batch, changes)
        publish(self.session, Event(IngestBatchService.resource, "update"))


async def replay_in_turn(
    queue: IngestQueue, spans: RejectedSpanService, batch_id: int, ids: Sequence[int] = ()
) -> Replayed:
    """``RejectedSpanService.replay`` within the bounds of what arrives.

    Raise as ``choose`` does, and ``Unavailable`` while too much is on its way in.
    """
    actor = spans.actor
    chosen = await spans.choose(batch_id, ids)
    await hand_back(spans.session)  # the queue works in sessions of its own

    async def replay(session: AsyncSession) -> tuple[Replayed, RejectedSpanService]:
        again = RejectedSpanService(session, actor)
        return await again.replay(batch_id, chosen.ids), again

    with queue.admit(chosen.size_bytes):
        replayed, again = await queue.run(replay)
        await queue.fold(again.sender, again.stored)
    return replayed
