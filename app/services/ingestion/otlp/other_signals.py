"""Logs and metrics, which are not kept: read as far as it takes to say how many."""

from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from app.exceptions import BadRequest
from app.services.ingestion.otlp.json_request import entries, obj, objects

Json = dict[str, Any]
POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


def read(body: bytes, is_json: bool, kind: type[Message]) -> Json:
    """The request as OTLP's JSON. Raise ``BadRequest`` when it is none."""
    try:
        if not is_json:
            return MessageToDict(kind.FromString(body))
        found = orjson.loads(body) if body else {}
    except (DecodeError, RecursionError, orjson.JSONDecodeError) as error:
        raise BadRequest(f"The body is no {kind.__name__}.") from error
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def count_logs(body: bytes, is_json: bool) -> int:
    """How many log records there are. Raise ``BadRequest``."""
    request = read(body, is_json, ExportLogsServiceRequest)
    return sum(
        len(objects(scope, "logRecords"))
        for resource in entries(request, "resourceLogs")
        for scope in objects(resource, "scopeLogs")
    )


def count_points(body: bytes, is_json: bool) -> int:
    """How many data points there are. Raise ``BadRequest``."""
    request = read(body, is_json, ExportMetricsServiceRequest)
    return sum(
        len(objects(obj(metric, kind), "dataPoints"))
        for resource in entries(request, "resourceMetrics")
        for scope in objects(resource, "scopeMetrics")
        for metric in objects(scope, "metrics")
        for kind in POINTS
    )


Counting = Callable[[bytes, bool], int]
