"""Metrics, which are not kept: read as far as it takes to say how many."""

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from app.exceptions import BadRequest
from app.services.ingestion.otlp.json_request import entries, obj, objects, request_in

Json = dict[str, Any]
POINTS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


def read(body: bytes, is_json: bool) -> Json:
    """The request as OTLP's JSON. Raise ``BadRequest`` when it is none."""
    if is_json:
        return request_in(body, "resourceMetrics")
    try:
        return MessageToDict(ExportMetricsServiceRequest.FromString(body))
    except (DecodeError, RecursionError) as error:
        raise BadRequest("The body is no ExportMetricsServiceRequest in protobuf.") from error


def count_points(body: bytes, is_json: bool) -> int:
    """How many data points there are. Raise ``BadRequest``."""
    request = read(body, is_json)
    return sum(
        len(objects(obj(metric, kind), "dataPoints"))
        for resource in entries(request, "resourceMetrics")
        for scope in objects(resource, "scopeMetrics")
        for metric in objects(scope, "metrics")
        for kind in POINTS
    )
