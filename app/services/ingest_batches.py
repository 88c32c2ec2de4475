"""What runtimes sent by OpenTelemetry: stored with a receipt; what was refused is kept a while."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.actor import Actor
from app.core.events import Event, publish
from app.core.permissions import Permission
from app.core.texts import mark
from app.models import ApiKey, Execution, IngestBatch, RejectedSpan, User
from app.schemas.ingest_batches import IngestBatchQuery
from app.services.audit_events import AuditEventService
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.ingestion.intake import TraceIntake, rejections
from app.services.ingestion.otlp.checks import LIMITS
from app.services.ingestion.prepared import Prepared, clean, merged, short
from app.services.ingestion.rejections import log_rejection_of
from app.services.ingestion.span_logs import SpanLogs
from app.services.ingestion.wire import Rejection, WireLog
from app.services.paging import Slice, read_slice

MAX_KEPT = 1_000  # rejected spans and events of one batch
MAX_REASONS = 3
MOST = ", ".join(f"at most {limit:,} {name}" for name, limit in LIMITS.items()) + " of a span"
# No index leads from a key to its runs: among so many of the newest its own is looked for.
RUNS_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a runtime."""

    actor: Actor
    prepared: Prepared
    media_type: str
    size_bytes: int

    @property
    def span_keys(self) -> set[tuple[bytes, bytes]]:
        """Trace and span id of each span that is in it or told of."""
        spans = [trace.span_keys for trace in self.prepared.traces.values()]
        return {log.key for log in self.prepared.logs}.union(*spans)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request. ``message`` says what is not kept and why, or is empty."""

    batch_id: int
    rejected: int
    message: str


def message_of(reasons: Sequence[str], cut_count: int = 0) -> str:
    """The commonest reasons, and what else of the batch is not kept."""
    told = [reason for reason, _ in Counter(reasons).most_common(MAX_REASONS)]
    if len(reasons) > MAX_KEPT:
        told.append(f"Only the first {MAX_KEPT:,} of those refused are kept to be seen.")
    if cut_count:
        told.append(f"Attributes, events or links were cut in {cut_count:,} spans: {MOST}.")
    return " ".join(told)


@dataclass(frozen=True, slots=True)
class Arrival:
    """The newest batch of a key, a run that it reported, and why spans of the batch are refused."""

    batch: IngestBatch
    execution_id: int | None
    reason: str | None


class IngestBatchService(BaseService[IngestBatch, BaseModel, BaseModel]):
    """Stores several requests of one actor together, each with its receipt and audit event."""

    model = IngestBatch
    resource = "ingest_batches"
    noun = mark("batch")
    is_live = True
    readable = Permission.EXECUTIONS_READ
    writable = Permission.EXECUTIONS_WRITE
    deletable = Permission.EXECUTIONS_WRITE
    filters = ("api_key_id",)

    def limited_to_agent(self, statement: Select[IngestBatch]) -> Select[IngestBatch]:
        """What other keys sent may be of other agents."""
        if self.actor.only_agent_id is None:
            return statement
        return statement.where(IngestBatch.api_key_id == self.actor.api_key_id)

    def loads(self) -> Sequence[ExecutableOption]:
        key = joinedload(IngestBatch.api_key).load_only(ApiKey.name, ApiKey.prefix)
        return (key, joinedload(IngestBatch.user).load_only(User.full_name))

    async def list_batches(self, query: IngestBatchQuery) -> Slice[IngestBatch]:
        """Newest first: one query and none per row."""
        statement = self.visible().options(*self.loads())
        if query.api_key_id is not None:
            statement = statement.where(IngestBatch.api_key_id == query.api_key_id)
        if query.rejected is not None:
            some = IngestBatch.rejected_count > 0
            statement = statement.where(some if query.rejected else ~some)
        sort = self.sorting(None)
        return await read_slice(self.session, statement, sort, query.cursor, query.limit)

    async def arrival(self, key_id: int) -> Arrival | None:
        """What came in last with a key; ``None`` while nothing has."""
        with_spans = IngestBatch.span_count > 0
        newest = self.visible().where(IngestBatch.api_key_id == key_id, with_spans)
        newest = newest.order_by(IngestBatch.created_at.desc(), IngestBatch.id.desc()).limit(1)
        batch = await self.session.scalar(newest)
        if batch is None:
            return None
        why = select(RejectedSpan.reason).where(RejectedSpan.batch_id == batch.id)
        reason = await self.session.scalar(why.order_by(RejectedSpan.id).limit(1))
        return Arrival(batch, await self._newest_run(key_id), reason)

    async def _newest_run(self, key_id: int) -> int | None:
        runs = ExecutionService(self.session, self.actor).visible()
        newest = runs.with_only_columns(Execution.id, Execution.reported_by_key_id)
        looked_at = newest.order_by(Execution.id.desc()).limit(RUNS_LOOKED_AT).subquery()
        own = select(looked_at.c.id).where(looked_at.c.reported_by_key_id == key_id)
        found: int | None = await self.session.scalar(own.order_by(looked_at.c.id.desc()).limit(1))
        return found

    async def store(self, sent: Sequence[Sent]) -> list[Receipt]:
        """All of them or, where the database refuses something, none. Raise ``Forbidden``."""
        self.actor.require(Permission.EXECUTIONS_WRITE)
        traces = list(merged(each.prepared for each in sent).values())
        intake = TraceIntake(self.session, self.actor)
        await intake.store(traces)
        logs = SpanLogs(self.session, self.actor)
        refused = await logs.keep([log for each in sent for log in each.prepared.logs])
        # Equal for all batches of a moment, so that who watches hears once.
        publish(self.session, Event(self.resource, "create"))
        return [await self._receipt(each, intake.rejected | refused) for each in sent]

    async def _receipt(self, sent: Sent, refused: dict[bytes, str]) -> Receipt:
        prepared = sent.prepared
        without = [log for log in prepared.logs if log.key[0] in refused]
        rejected = prepared.rejected + rejections(list(prepared.traces.values()), refused)
        rejected += [
            log_rejection_of(WireLog(*log.key, log.event), refused[log.key[0]]) for log in without
        ]
        batch = IngestBatch(
            user_id=sent.actor.user_id,
            api_key_id=sent.actor.api_key_id,
            media_type=sent.media_type,
            size_bytes=sent.size_bytes,
            span_count=prepared.span_count,
            rejected_count=len(rejected),
            execution_count=len(prepared.traces.keys() - refused.keys()),
            event_count=len(prepared.logs) - len(without),
        )
        self.session.add(batch)
        await self.session.flush()
        self._keep(batch, rejected)
        counts = {"spans": prepared.span_count, "executions": batch.execution_count}
        counts |= {"events": batch.event_count} if prepared.logs else {}
        changes = {name: [None, count] for name, count in counts.items()}
        if rejected:
            changes["rejected"] = [None, len(rejected)]
        AuditEventService(self.session, sent.actor).record("ingest", self.resource, batch, changes)
        reasons = [rejection.reason for rejection in rejected]
        return Receipt(batch.id, len(reasons), message_of(reasons, prepared.cut_count))

    def _keep(self, batch: IngestBatch, rejected: Sequence[Rejection]) -> None:
        for rejection in rejected[:MAX_KEPT]:
            self.session.add(
                RejectedSpan(
                    batch_id=batch.id,
                    reason=short(rejection.reason, 500),
                    name=short(rejection.name, 300) or "unnamed",
                    request=clean(rejection.request),
                    sendable_at=rejection.sendable_at,
                )
            )
