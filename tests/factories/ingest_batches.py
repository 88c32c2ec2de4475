"""Batches of OpenTelemetry as they are kept, with spans that were refused."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import IngestBatch, RejectedSpan
from app.services.ingestion.otlp import JSON
from tests.otlp.requests import as_json, make_span

UNREADABLE = {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "lost", "traceId": "x"}]}]}]}


def good_request(number: int = 1, trace: int = 77) -> dict[str, Any]:
    return as_json([make_span(number, trace=trace)])


async def make_ingest_batch(
    session: AsyncSession,
    actor: Actor,
    requests: tuple[dict[str, Any], ...] | None = None,
    api_key_id: int | None = None,
) -> IngestBatch:
    """A batch of ``actor`` whose spans were all refused: one that can be stored by now, or these"""
    kept = (good_request(),) if requests is None else requests
    batch = IngestBatch(
        user_id=actor.user_id,
        api_key_id=api_key_id,
        media_type=JSON,
        size_bytes=512,
        span_count=len(kept) + 1,
        rejected_count=len(kept),
        execution_count=1,
    )
    session.add(batch)
    await session.flush()
    for request in kept:
        session.add(
            RejectedSpan(
                batch_id=batch.id,
                reason="Its time is over.",
                name="s",
                request=request,
                sendable_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    await session.flush()
    return batch
