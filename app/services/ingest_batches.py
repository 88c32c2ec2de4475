"""What runtimes sent by OpenTelemetry: stored with a receipt; what was refused is kept a while."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import IngestBatch, RejectedSpan
from app.services.audit_events import AuditEventService
from app.services.ingestion.intake import TraceIntake, rejections
from app.services.ingestion.prepared import Prepared, clean, merged, short
from app.services.ingestion.wire import Rejection

MAX_KEPT = 1_000  # rejected spans of one batch
MAX_REASONS = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a runtime."""

    actor: Actor
    prepared: Prepared
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request. ``message`` says why spans were refused, or is empty."""

    batch_id: int
    rejected: int
    message: str


def message_of(rejected: Sequence[Rejection]) -> str:
    """The commonest reasons."""
    reasons = Counter(rejection.reason for rejection in rejected)
    return " ".join(reason for reason, _ in reasons.most_common(MAX_REASONS))


class IngestBatchService:
    """Stores several requests of one actor together, each with its receipt and audit event."""

    resource = "ingest_batches"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def store(self, sent: Sequence[Sent]) -> list[Receipt]:
        """All of them or, where the database refuses something, none. Raise ``Forbidden``."""
        self.actor.require(Permission.EXECUTIONS_WRITE)
        traces = list(merged(each.prepared for each in sent).values())
        intake = TraceIntake(self.session, self.actor)
        await intake.store(traces)
        return [await self._receipt(each, intake.rejected) for each in sent]

    async def _receipt(self, sent: Sent, refused: dict[bytes, str]) -> Receipt:
        prepared = sent.prepared
        rejected = prepared.rejected + rejections(list(prepared.traces.values()), refused)
        batch = IngestBatch(
            user_id=sent.actor.user_id,
            api_key_id=sent.actor.api_key_id,
            media_type=sent.media_type,
            size_bytes=sent.size_bytes,
            span_count=prepared.span_count,
            rejected_count=len(rejected),
            execution_count=len(prepared.traces.keys() - refused.keys()),
        )
        self.session.add(batch)
        await self.session.flush()
        self._keep(batch, rejected)
        counts = {"spans": prepared.span_count, "executions": batch.execution_count}
        changes = {name: [None, count] for name, count in counts.items()}
        if rejected:
            changes["rejected"] = [None, len(rejected)]
        AuditEventService(self.session, sent.actor).record("ingest", self.resource, batch, changes)
        return Receipt(batch.id, len(rejected), message_of(rejected))

    def _keep(self, batch: IngestBatch, rejected: Sequence[Rejection]) -> None:
        for rejection in rejected[:MAX_KEPT]:
            self.session.add(
                RejectedSpan(
                    batch_id=batch.id,
                    reason=short(rejection.reason, 500),
                    name=short(name_in(rejection), 300) or "unnamed",
                    request=clean(rejection.request),
                )
            )


def name_in(rejection: Rejection) -> str:
    span = rejection.request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    name = span.get("name")
    return name if isinstance(name, str) else ""
