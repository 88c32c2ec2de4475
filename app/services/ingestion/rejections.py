"""Spans and events that are refused, as they are kept to be sent again: without secrets."""

from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from app.schemas.base import MAX_BIGINT
from app.services.ingestion.dialects import attributes_at_the_door
from app.services.ingestion.otlp.checks import CLOCK_SKEW, problem_of
from app.services.ingestion.otlp.encoding import log_requested, requested, span_json
from app.services.ingestion.wire import Rejection, WireEvent, WireLink, WireLog, WireSpan
from app.services.spans import EPOCH, moment_of

# What a span is refused for when it is read; as it was sent, so that it can be seen.
READ_FIELDS = ("traceId", "spanId", "startTimeUnixNano")
MAX_FIELD = 100

Json = dict[str, Any]
Told = TypeVar("Told", WireSpan, WireEvent, WireLink)


def safe(told: Told) -> Told:
    """The same, with such attributes as may be kept."""
    return replace(told, attributes=attributes_at_the_door(told.attributes))


def rejection_of(span: WireSpan, reason: str, sent: Json | None = None) -> Rejection:
    """What was refused; ``sent`` is the span as OTLP's JSON, where it was not readable."""
    events, links = tuple(map(safe, span.events)), tuple(map(safe, span.links))
    kept = replace(safe(span), events=events, links=links)
    origin = replace(span.origin, resource=attributes_at_the_door(span.origin.resource))
    as_sent = {name: field_of(sent[name]) for name in READ_FIELDS if sent and name in sent}
    request = requested(span_json(kept) | as_sent, origin)
    return Rejection(reason, span.name, request, sendable_at(span))


def sendable_at(span: WireSpan) -> datetime | None:
    """When the clock allows its start; ``None`` where it has no usable ids or no start."""
    if problem_of(span.trace_id, span.span_id, span.start_ns, latest=MAX_BIGINT) is not None:
        return None
    return moment_of(span.start_ns) - CLOCK_SKEW


def log_rejection_of(log: WireLog, reason: str) -> Rejection:
    """One without a trace id can never be stored."""
    kept = replace(log, event=safe(log.event))
    at = EPOCH if log.trace_id else None
    return Rejection(reason, log.event.name, log_requested(kept), at)


def field_of(value: Any) -> Any:  # any JSON value
    """A number or a short text; of anything else only that it was there."""
    return value if isinstance(value, int | float | None) else str(value)[:MAX_FIELD]
