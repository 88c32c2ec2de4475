"""Requests of OTLP in both encodings, made from the same spans."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.models.spans import SpanStatus
from app.services.ingestion.otlp import JSON, PROTOBUF
from app.services.ingestion.otlp.encoding import resource_spans, span_json
from app.services.ingestion.wire import Origin, WireSpan

Json = dict[str, Any]
SERVICE = Origin({"service.name": "shop"}, "tests", "1.0")
BEGIN_NS = 1_790_000_000_000_000_000
SECOND = 1_000_000_000


def make_span(
    number: int = 1,
    *,
    trace: int = 1,
    parent: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    **changes: Any,  # fields of a WireSpan
) -> WireSpan:
    """The span of that number in the trace of that number; it starts after as many seconds."""
    start_ns = BEGIN_NS + number * SECOND
    values = {
        "trace_id": trace.to_bytes(16, "big"),
        "span_id": number.to_bytes(8, "big"),
        "parent_span_id": None if parent is None else parent.to_bytes(8, "big"),
        "name": f"step {number}",
        "start_ns": start_ns,
        "end_ns": start_ns + SECOND // 2,
        "status": SpanStatus.UNSET,
        "status_message": "",
        "attributes": dict(attributes or {}),
        "events": (),
        "origin": SERVICE,
    }
    return WireSpan(**(values | changes))


def as_json(spans: Sequence[WireSpan]) -> Json:
    """One ExportTraceServiceRequest; neighbours of one origin share their entry."""
    entries: list[Json] = []
    last: Origin | None = None
    for span in spans:
        if span.origin != last:
            entries.append(resource_spans(span.origin, []))
            last = span.origin
        entries[-1]["scopeSpans"][0]["spans"].append(span_json(span))
    return {"resourceSpans": entries}


def as_protobuf(request: Json) -> bytes:
    """The same in protobuf; ids are hex in OTLP's JSON, where protobuf's own has base64."""
    message = ExportTraceServiceRequest()
    ParseDict(with_base64_ids(request), message, ignore_unknown_fields=True)
    return message.SerializeToString()


def with_base64_ids(value: Any) -> Any:  # any JSON value
    return with_ids(value, lambda given: base64.b64encode(bytes.fromhex(given)).decode())


def with_hex_ids(value: Any) -> Any:  # any JSON value
    return with_ids(value, lambda given: base64.b64decode(given).hex())


def with_ids(value: Any, written: Callable[[str], str]) -> Any:  # any JSON value
    if isinstance(value, list):
        return [with_ids(item, written) for item in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {k: written(v) if k in ids else with_ids(v, written) for k, v in value.items()}


def encoded(spans: Sequence[WireSpan], media_type: str, *, packed: bool = False) -> Json:
    """``content`` and ``headers`` for a client."""
    request = as_json(spans)
    content = as_protobuf(request) if media_type == PROTOBUF else json.dumps(request).encode()
    headers = {"Content-Type": media_type} | ({"Content-Encoding": "gzip"} if packed else {})
    return {"content": gzip.compress(content) if packed else content, "headers": headers}


ENCODINGS = [(PROTOBUF, False), (PROTOBUF, True), (JSON, False), (JSON, True)]
