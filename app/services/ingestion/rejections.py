"""Spans that are refused, as they are kept to be sent again: without secrets."""

from dataclasses import replace
from typing import Any, TypeVar

from app.services.ingestion.dialects import attributes_at_the_door
from app.services.ingestion.otlp.encoding import requested, span_json
from app.services.ingestion.wire import Rejection, WireEvent, WireLink, WireSpan

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
    return Rejection(reason, requested(span_json(kept) | as_sent, origin))


def field_of(value: Any) -> Any:  # any JSON value
    """A number or a short text; of anything else only that it was there."""
    return value if isinstance(value, int | float | None) else str(value)[:MAX_FIELD]
