"""Receipts of what arrived by OpenTelemetry over JSON, and rejected spans sent again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from app.api.deps import QueueDep, requires, service
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, LIST_ERRORS, READ_ERRORS
from app.core.permissions import Permission
from app.models import IngestBatch
from app.schemas.base import MAX_BIGINT, CursorPage, CursorQuery
from app.schemas.ingest_batches import (
    IngestBatchQuery,
    IngestBatchRead,
    IngestReplay,
    IngestReplayed,
    RejectedSpanRead,
)
from app.services.ingest_batches import IngestBatchService
from app.services.rejected_spans import RejectedSpanService, Replayed, replay_in_turn

router = APIRouter(prefix="/ingest-batches", tags=["opentelemetry"], route_class=StrictRoute)
BatchId = Annotated[
    int, Path(ge=1, le=MAX_BIGINT, description="The batch: X-Greenroom-Batch of the answer.")
]
IngestBatchServiceDep = Annotated[IngestBatchService, Depends(service(IngestBatchService))]
RejectedSpanServiceDep = Annotated[RejectedSpanService, Depends(service(RejectedSpanService))]

READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]


@router.get(
    "", response_model=CursorPage[IngestBatchRead], dependencies=READ, responses=LIST_ERRORS
)
async def list_ingest_batches(
    query: Annotated[IngestBatchQuery, Query()], batches: IngestBatchServiceDep
) -> Any:
    """Requests to `/v1/traces` and `/v1/logs`, newest first; old ones are removed after a week."""
    return await batches.list_batches(query)


@router.get("/{batch_id}", response_model=IngestBatchRead, dependencies=READ, responses=READ_ERRORS)
async def get_ingest_batch(batch_id: BatchId, batches: IngestBatchServiceDep) -> IngestBatch:
    """One request: how much it held, and what became of it."""
    return await batches.get(batch_id)


@router.get(
    "/{batch_id}/rejected",
    response_model=CursorPage[RejectedSpanRead],
    dependencies=READ,
    responses=READ_ERRORS,
)
async def list_rejected_spans(
    batch_id: BatchId,
    query: Annotated[CursorQuery, Query()],
    batches: IngestBatchServiceDep,
    rejected: RejectedSpanServiceDep,
) -> Any:
    """Spans of the request that are not stored, each with the reason."""
    return await rejected.list_slice(await batches.get(batch_id), query)


@router.post(
    "/{batch_id}/replay",
    response_model=IngestReplayed,
    dependencies=WRITE,
    responses=CHANGE_ERRORS,
)
async def replay_rejected_spans(
    batch_id: BatchId,
    rejected: RejectedSpanServiceDep,
    queue: QueueDep,
    data: IngestReplay | None = None,
) -> Replayed:
    """Send rejected spans again as yourself, a hundred at most; what is stored is kept no more."""
    return await replay_in_turn(queue, rejected, batch_id, data.ids if data else ())
