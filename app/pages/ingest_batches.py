"""What arrived by OpenTelemetry: receipts, and rejected spans to send again."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.api.deps import QueueDep
from app.core.permissions import Permission
from app.pages import listing
from app.pages.deps import IngestBatchServiceDep, RejectedSpanServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT, CursorQuery
from app.schemas.ingest_batches import IngestBatchQuery
from app.services.rejected_spans import replay_in_turn

router = APIRouter(prefix="/ingest")
BatchId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
SpanId = Annotated[int | None, Form(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]
PAGE_SIZE, SPANS_SHOWN = 50, 25


@router.get("", dependencies=READ)
async def list_batches(request: Request, batches: IngestBatchServiceDep) -> Response:
    query = listing.query_of(request, IngestBatchQuery)
    query.limit = PAGE_SIZE
    rows = await batches.list_batches(query)
    context = {
        "query": query,
        "batches": rows.items,
        "links": listing.pager_links(request, rows),
        "here": listing.here(request),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/ingest/{name}", context)


@router.get("/{batch_id}", dependencies=READ)
async def show_batch(
    request: Request,
    batch_id: BatchId,
    batches: IngestBatchServiceDep,
    rejected: RejectedSpanServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    batch = await batches.get(batch_id)
    rows = await rejected.list_slice(batch, CursorQuery(cursor=cursor, limit=SPANS_SHOWN))
    context = {
        "batch": batch,
        "spans": rows.items,
        "links": listing.pager_links(request, rows),
        "may_write": batches.actor.may(Permission.EXECUTIONS_WRITE),
        "sendable": await rejected.sendable_count(batch),
    }
    return render(request, "pages/ingest/detail.html", context)


@router.post("/{batch_id}/replay", dependencies=WRITE)
async def replay(
    request: Request,
    batch_id: BatchId,
    rejected: RejectedSpanServiceDep,
    queue: QueueDep,
    span_id: SpanId = None,
) -> Response:
    """One span, or the first hundred of the batch."""
    ids = [] if span_id is None else [span_id]
    done = await replay_in_turn(queue, rejected, batch_id, ids)
    notice = "replayed" if not done.refused else "refused_again"
    return redirect(request, f"/ingest/{batch_id}", notice)
