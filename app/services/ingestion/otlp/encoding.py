"""Spans in OTLP's JSON: to send them again, and to hand them on to other tools."""

import base64
from typing import Any

from app.models.spans import SpanStatus
from app.services.ingestion.otlp.checks import HAS_IS_REMOTE, IS_REMOTE
from app.services.ingestion.wire import Attributes, Origin, WireLog, WireSpan

Json = dict[str, Any]
DROPPED = {
    "attributes": "droppedAttributesCount",
    "events": "droppedEventsCount",
    "links": "droppedLinksCount",
}
STATUS_CODES = {SpanStatus.UNSET: 0, SpanStatus.OK: 1, SpanStatus.ERROR: 2}


def whole_number(value: int) -> Json:
    """One of 64 bits as it is; jsonb gives back large floats without a point, too."""
    is_integer = -(2**63) <= value < 2**64
    return {"intValue": str(value)} if is_integer else {"doubleValue": float(value)}


def any_value(value: Any) -> Json:  # text, number, bool, bytes, list or dict
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return whole_number(value)
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list() | tuple():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
        case None:
            return {}
        case _:
            return {"stringValue": str(value)}


def pairs(attributes: Attributes) -> list[Json]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def resource_spans(origin: Origin, spans: list[Json]) -> Json:
    """One entry of ``resourceSpans``, whose spans all are of this origin."""
    scope = {"name": origin.scope_name, "version": origin.scope_version}
    return {
        "resource": {"attributes": pairs(origin.resource)},
        "scopeSpans": [
            {
                "scope": {key: value for key, value in scope.items() if value},
                "spans": spans,
                **({"schemaUrl": origin.schema_url} if origin.schema_url else {}),
            }
        ],
    }


def requested(span: Json, origin: Origin) -> Json:
    """An ExportTraceServiceRequest with this one span."""
    return {"resourceSpans": [resource_spans(origin, [span])]}


def log_requested(log: WireLog) -> Json:
    """An ExportLogsServiceRequest with this one record."""
    ids = {"traceId": log.trace_id.hex(), "spanId": log.span_id.hex()}
    record = {
        "timeUnixNano": str(log.event.time_ns),
        "eventName": log.event.name,
        "attributes": pairs(log.event.attributes),
        **{name: value for name, value in ids.items() if value},
    }
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def status_json(span: WireSpan) -> Json:
    message = {"message": span.status_message} if span.status_message else {}
    return {"code": STATUS_CODES[span.status]} | message


def span_json(span: WireSpan) -> Json:
    """As ``trace.proto`` has it, unknown and empty fields left out."""
    found: Json = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex() if span.parent_span_id else None,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": None if span.end_ns is None else str(span.end_ns),
        "attributes": pairs(span.attributes),
        "status": status_json(span),
        "events": [
            {
                "name": event.name,
                "timeUnixNano": str(event.time_ns),
                "attributes": pairs(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "traceId": link.trace_id.hex(),
                "spanId": link.span_id.hex(),
                "attributes": pairs(link.attributes),
            }
            for link in span.links
        ],
        **{DROPPED[name]: count for name, count in span.dropped.items() if name in DROPPED},
        "flags": HAS_IS_REMOTE | IS_REMOTE if span.parent_is_remote else None,
    }
    return {key: value for key, value in found.items() if value not in (None, [])}
