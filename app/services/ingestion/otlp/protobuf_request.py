"""ExportTraceServiceRequest in protobuf, read by the C parser of the protobuf package."""

from collections.abc import Iterable
from operator import gt
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from app.exceptions import BadRequest
from app.models.spans import SpanStatus
from app.services.ingestion.otlp import checks
from app.services.ingestion.rejections import rejection_of
from app.services.ingestion.wire import (
    Attributes,
    Decoded,
    Origin,
    WireEvent,
    WireLink,
    WireSpan,
)

NO_REQUEST = "The body is no ExportTraceServiceRequest in protobuf."
OF_LIBRARIES = 1000
LIMITS = tuple(checks.LIMITS.values())
NOTHING_DROPPED: tuple[dict[str, int], bool] = ({}, False)


def value_of(value: AnyValue, depth: int = 0) -> Any:  # text, number, bool, bytes, list or dict
    which = value.WhichOneof("value")
    if which == "array_value":
        if depth >= checks.MAX_DEPTH:
            return None
        return [value_of(item, depth + 1) for item in value.array_value.values]
    if which == "kvlist_value":
        if depth >= checks.MAX_DEPTH:
            return None
        return {kv.key: value_of(kv.value, depth + 1) for kv in value.kvlist_value.values}
    return None if which is None else getattr(value, which)


def attributes_of(pairs: Iterable[KeyValue]) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        value = pair.value
        # Most are texts; of any other kind this is empty.
        found[pair.key] = value.string_value or value_of(value)
        if len(found) >= checks.MAX_ATTRIBUTES:
            break
    return found


def events_of(span: Span) -> tuple[WireEvent, ...]:
    return tuple(
        WireEvent(event.name, event.time_unix_nano, attributes_of(event.attributes))
        for event in span.events[: checks.MAX_EVENTS]
    )


def links_of(span: Span) -> tuple[WireLink, ...]:
    return tuple(
        WireLink(link.trace_id, link.span_id, attributes_of(link.attributes))
        for link in span.links[: checks.MAX_LINKS]
    )


def span_of(span: Span, origin: Origin) -> WireSpan:
    status = span.status
    start_ns = span.start_time_unix_nano
    attributes = span.attributes
    dropped, is_cut = NOTHING_DROPPED
    sent = (len(attributes), len(span.events), len(span.links))
    said = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
    if any(said) or any(map(gt, sent, LIMITS)):
        dropped, is_cut = checks.dropped(sent, said)
    return WireSpan(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=checks.parent_of(span.parent_span_id, span.span_id),
        name=checks.name_of(span.name),
        start_ns=start_ns,
        end_ns=checks.end_of(start_ns, span.end_time_unix_nano),
        status=checks.STATUSES.get(status.code, SpanStatus.UNSET),
        status_message=status.message,
        attributes=attributes_of(attributes),
        events=events_of(span) if span.events else (),
        origin=origin,
        kind=span.kind,
        links=links_of(span) if span.links else (),
        parent_is_remote=checks.parent_is_remote(span.flags),
        dropped=dropped,
        is_cut=is_cut,
    )


def scopes_of(of_resource: ResourceSpans) -> Iterable[ScopeSpans]:
    """Before OTLP 0.16 scopes were libraries, in another field of the same shape.

    Raise ``BadRequest``.
    """
    if of_resource.scope_spans:
        return of_resource.scope_spans
    unknown = UnknownFieldSet(of_resource)
    fields = [unknown[place] for place in range(len(unknown))]
    texts = [field.data for field in fields if field.field_number == OF_LIBRARIES]
    try:
        return [ScopeSpans.FromString(text) for text in texts if isinstance(text, bytes)]
    except (DecodeError, RecursionError) as error:
        raise BadRequest(NO_REQUEST) from error


def decode_protobuf(body: bytes) -> Decoded:
    """Raise ``BadRequest`` when it is no such message."""
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except (DecodeError, RecursionError) as error:
        raise BadRequest(NO_REQUEST) from error
    latest = checks.latest_ns()
    decoded = Decoded([], [])
    for of_resource in request.resource_spans:
        resource = attributes_of(of_resource.resource.attributes)
        for of_scope in scopes_of(of_resource):
            origin = Origin(
                resource,
                of_scope.scope.name,
                of_scope.scope.version,
                of_scope.schema_url or of_resource.schema_url,
            )
            for span in of_scope.spans:
                ids = (span.trace_id, span.span_id)
                reason = checks.problem_of(*ids, span.start_time_unix_nano, latest)
                read = span_of(span, origin)
                if reason is None:
                    decoded.spans.append(read)
                else:
                    decoded.rejected.append(rejection_of(read, reason))
    return decoded
