"""Answers of the OTLP endpoints: in the encoding of the request, errors as ``google.rpc.Status``.

Source: opentelemetry-proto, docs/specification.md. Clients send again after 429, 502, 503 and 504
alone, so whatever is our own fault is a 503.
"""

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships stubs unmarked
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from app.exceptions import AppError
from app.services.ingestion.otlp import JSON, PROTOBUF

PATHS = frozenset({"/v1/traces", "/v1/logs", "/v1/metrics"})
# HTTP status to google.rpc.Code.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 8, 415: 3, 429: 8, 503: 14}
UNKNOWN = 2
MAX_MESSAGE = 2_000


def media_type_of(request: HTTPConnection) -> str:
    """Of the request, its parameters apart."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def status_of(error: AppError) -> int:
    if error.status == 422:
        return 400
    return 503 if error.status >= 500 else error.status


def error_answer(request: HTTPConnection, error: AppError) -> Response:
    """Any error of these paths."""
    status = status_of(error)
    headers = dict(error.headers or {})
    if status in (429, 503):
        headers.setdefault("Retry-After", "1")
    code, message = CODES.get(status, UNKNOWN), error.message[:MAX_MESSAGE]
    if media_type_of(request) == PROTOBUF:
        body = Status(code=code, message=message).SerializeToString()
        return Response(body, status, headers, PROTOBUF)
    return JSONResponse({"code": code, "message": message}, status, headers)


def partial(
    request: HTTPConnection, message: Message, field: str, rejected: int, why: str
) -> Response:
    """``partial_success`` is there only when there is something to say."""
    if rejected or why:
        success = message.partial_success  # type: ignore[attr-defined]  # every export answer's
        setattr(success, field, rejected)
        success.error_message = why[:MAX_MESSAGE]
    if media_type_of(request) == JSON:
        return JSONResponse(MessageToDict(message))
    return Response(message.SerializeToString(), media_type=PROTOBUF)


def traces_answer(request: HTTPConnection, rejected: int, why: str) -> Response:
    return partial(request, ExportTraceServiceResponse(), "rejected_spans", rejected, why)


def logs_answer(request: HTTPConnection, rejected: int, why: str) -> Response:
    return partial(request, ExportLogsServiceResponse(), "rejected_log_records", rejected, why)


def metrics_answer(request: HTTPConnection, rejected: int, why: str) -> Response:
    told = why if rejected else ""
    return partial(request, ExportMetricsServiceResponse(), "rejected_data_points", rejected, told)
