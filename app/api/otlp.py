"""OTLP over HTTP: what runtimes that export OpenTelemetry send their spans and events to.

``OTEL_EXPORTER_OTLP_ENDPOINT`` is our origin, ``OTEL_EXPORTER_OTLP_HEADERS`` the key.
"""

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.deps import ActorDep, QueueDep, asking, requires
from app.api.errors import UnsupportedMediaType
from app.api.otlp_answers import logs_answer, media_type_of, metrics_answer, traces_answer
from app.api.otlp_docs import ANSWERS, request_body
from app.core.config import Settings
from app.core.database import hand_back
from app.core.inflate import gunzip
from app.core.permissions import Permission
from app.services.ingest_batches import Receipt, Sent
from app.services.ingestion.otlp import DECODERS, JSON, PROTOBUF
from app.services.ingestion.otlp.logs import decode_logs
from app.services.ingestion.otlp.other_signals import count_points
from app.services.ingestion.prepared import Prepared, Pricing, prepare, prepare_logs
from app.services.ingestion.pricing import price_span
from app.services.ingestion.queue import IngestQueue
from app.services.pricing import current_book

router = APIRouter(tags=["opentelemetry"], dependencies=[requires(Permission.EXECUTIONS_WRITE)])
# Decoding more than this would hold up the event loop.
SMALL = 32 * 1024
SMALL_PACKED = 1024  # a thousand times as much, at most
COUNTED_BYTES = 64 * 1024
NOT_KEPT = "Greenroom keeps spans. Send them to /v1/traces."
OTHER_LOGS = "Of logs, Greenroom keeps GenAI events."
BATCH = "X-Greenroom-Batch"


def check_encoding(request: Request) -> None:
    """Raise ``UnsupportedMediaType`` for what nobody here can read."""
    if media_type_of(request) not in DECODERS:
        raise UnsupportedMediaType(f"Send {PROTOBUF} or {JSON}, named by Content-Type.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise UnsupportedMediaType("Send the body as it is, or compressed by gzip.")


def is_gzip(request: Request) -> bool:
    return request.headers.get("content-encoding", "").strip().lower() == "gzip"


def read_batch(body: bytes, media_type: str, pricing: Pricing) -> Prepared:
    return prepare(DECODERS[media_type](body), pricing)


async def off_the_loop(body: bytes, work: Any, small: int = SMALL) -> Any:  # a plain function
    """Small bodies are read sooner than a thread would wake up."""
    return work() if len(body) <= small else await asyncio.to_thread(work)


async def in_chunks(request: Request, queue: IngestQueue, held: ExitStack) -> bytes:
    """A body of unknown length; it counts as it comes, or many at once would not fit."""
    body, counted = bytearray(), 0
    async for part in request.stream():
        body += part
        while counted < len(body):
            held.enter_context(queue.admit(COUNTED_BYTES))
            counted += COUNTED_BYTES
    return bytes(body)


async def received(request: Request, queue: IngestQueue, held: ExitStack) -> bytes:
    """The body, decompressed; ``held`` counts it as being in memory."""
    await hand_back(asking(request)[0])  # who sends may have been looked up by it
    settings: Settings = request.app.state.settings
    declared = request.headers.get("content-length", "")
    held.enter_context(queue.admit(int(declared) if declared.isdigit() else 0))
    body = await (request.body() if declared else in_chunks(request, queue, held))
    if not is_gzip(request):
        return body
    unpack = partial(gunzip, body, settings.otlp_max_body_bytes)
    content = await off_the_loop(body, unpack, SMALL_PACKED)
    held.enter_context(queue.admit(len(content)))
    return bytes(content)


@router.post(
    "/v1/traces",
    operation_id="export_traces",
    openapi_extra=request_body("resourceSpans"),
    responses=ANSWERS,
)
async def traces(request: Request, actor: ActorDep, queue: QueueDep) -> Response:
    """Take spans (OTLP ExportTraceServiceRequest); they are stored when this is answered."""
    check_encoding(request)
    media_type = media_type_of(request)
    book = await current_book(asking(request)[0])  # before that keeps no connection any more
    with ExitStack() as held:
        body = await received(request, queue, held)
        prepared: Prepared = await off_the_loop(
            body, partial(read_batch, body, media_type, partial(price_span, book))
        )
        if not prepared.span_count:
            return traces_answer(request, 0, "")
        receipt: Receipt = await queue.submit(Sent(actor, prepared, media_type, len(body)))
    answer = traces_answer(request, receipt.rejected, receipt.message)
    answer.headers[BATCH] = str(receipt.batch_id)
    return answer


def read_logs(body: bytes, is_json: bool) -> tuple[Prepared, int]:
    """What tells of spans and runs, and how many other records there are."""
    decoded = decode_logs(body, is_json)
    return prepare_logs(decoded.kept, decoded.rejected), decoded.left


@router.post(
    "/v1/logs",
    operation_id="export_logs",
    openapi_extra=request_body("resourceLogs"),
    responses=ANSWERS,
)
async def logs(request: Request, actor: ActorDep, queue: QueueDep) -> Response:
    """Take GenAI events of spans and runs (OTLP ExportLogsServiceRequest); other records are not
    kept.
    """
    check_encoding(request)
    media_type = media_type_of(request)
    with ExitStack() as held:
        body = await received(request, queue, held)
        prepared, left = await off_the_loop(body, partial(read_logs, body, media_type == JSON))
        why = OTHER_LOGS if left else ""
        if not prepared.size and not prepared.rejected:
            return logs_answer(request, left, why)
        receipt: Receipt = await queue.submit(Sent(actor, prepared, media_type, len(body)))
    answer = logs_answer(request, left + receipt.rejected, f"{receipt.message} {why}".strip())
    answer.headers[BATCH] = str(receipt.batch_id)
    return answer


@router.post(
    "/v1/metrics",
    operation_id="export_metrics",
    openapi_extra=request_body("resourceMetrics"),
    responses=ANSWERS,
)
async def metrics(request: Request, queue: QueueDep) -> Response:
    """Answer whoever exports metrics too (OTLP ExportMetricsServiceRequest): they are not kept."""
    check_encoding(request)
    is_json = media_type_of(request) == JSON
    with ExitStack() as held:
        body = await received(request, queue, held)
        count = int(await off_the_loop(body, partial(count_points, body, is_json)))
    return metrics_answer(request, count, NOT_KEPT)
