"""Spans that were refused: read with the reason, and sent again once what kept them out is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database_errors import as_app_error
from app.core.events import Event, publish
from app.core.permissions import Permission
from app.exceptions import AppError, Conflict, NotFound, Unavailable
from app.models import IngestBatch, RejectedSpan
from app.schemas.base import CursorQuery
from app.services.audit_events import AuditEventService
from app.services.ingest_batches import IngestBatchService
from app.services.ingestion.intake import TraceIntake
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.prepared import Prepared, prepare, short
from app.services.ingestion.pricing import price_span
from app.services.ingestion.queue import REFUSED
from app.services.paging import Slice, parse_sort, read_slice
from app.services.pricing import current_book

REPLAYED_AT_ONCE = 100
MAX_REASONS = 3
NO_SPAN = "There is no span in it."


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many are stored now, were refused again, and are still kept; ``message`` says why."""

    stored: int
    refused: int
    left: int
    message: str


class RejectedSpanService:
    """Callers hand over a batch that they may see."""

    resource = "rejected_spans"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    def of(self, batch: IngestBatch) -> Select[RejectedSpan]:
        return select(RejectedSpan).where(RejectedSpan.batch_id == batch.id)

    async def list_slice(self, batch: IngestBatch, query: CursorQuery) -> Slice[RejectedSpan]:
        """Newest first: one query."""
        columns = {"created_at": RejectedSpan.created_at}
        sort = parse_sort(None, columns, RejectedSpan.id, "-created_at")
        return await read_slice(self.session, self.of(batch), sort, query.cursor, query.limit)

    async def replay(self, batch_id: int, ids: Sequence[int] = ()) -> Replayed:
        """Send spans again as this actor: those of ``ids``, else the first of the batch.

        What is stored now is no longer kept; what is refused again keeps the new reason. Raise
        ``NotFound`` where none of ``ids`` is there, ``Conflict`` where the batch has none.
        """
        self.actor.require(Permission.EXECUTIONS_WRITE)
        batches = IngestBatchService(self.session, self.actor)
        batch = await batches.get(batch_id, lock=True)
        rows = await self._chosen(batch, ids)
        reasons = {row.id: await self._refusal(row) for row in rows}
        stored = [row_id for row_id, reason in reasons.items() if reason is None]
        for row in rows:
            row.reason = reasons[row.id] or row.reason
        await self._settle(batch, stored)
        still = list(dict.fromkeys(reason for reason in reasons.values() if reason))
        left = await self.session.scalar(
            self.of(batch).with_only_columns(func.count()).order_by(None)
        )
        message = " ".join(still[:MAX_REASONS])
        return Replayed(len(stored), len(rows) - len(stored), left or 0, message)

    async def _chosen(self, batch: IngestBatch, ids: Sequence[int]) -> list[RejectedSpan]:
        statement = self.of(batch)
        if ids:
            statement = statement.where(RejectedSpan.id.in_(ids))
        first = statement.order_by(RejectedSpan.id).limit(REPLAYED_AT_ONCE).with_for_update()
        rows = list(await self.session.scalars(first))
        if not rows and ids:
            raise NotFound("There is no such rejected span; it may have been sent again already.")
        if not rows:
            raise Conflict("No rejected span of this batch is kept, so there is none to send.")
        return rows

    async def _refusal(self, row: RejectedSpan) -> str | None:
        """Store the span; why that is refused, or ``None``. Raise ``Unavailable``."""
        pricing = partial(price_span, await current_book(self.session))
        prepared = prepare(decode_json(orjson.dumps(row.request)), pricing)
        if prepared.rejected or not prepared.traces:
            reason = prepared.rejected[0].reason if prepared.rejected else NO_SPAN
            return short(reason, 500)
        try:
            async with self.session.begin_nested():
                return await self._store(prepared)
        except AppError as error:
            if error.status >= 500:
                raise
            return short(error.message, 500)
        except Exception as error:
            if isinstance(as_app_error(error), Unavailable):
                raise
            return REFUSED

    async def _store(self, prepared: Prepared) -> str | None:
        intake = TraceIntake(self.session, self.actor)
        await intake.store(list(prepared.traces.values()))
        return next(iter(intake.rejected.values()), None)

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
