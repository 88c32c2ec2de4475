"""Spans for the tests of dialects."""

from typing import Any

from app.models.spans import SpanStatus
from app.services.ingestion.dialects import read_span
from app.services.ingestion.facts import SpanFacts
from app.services.ingestion.wire import Origin, WireEvent, WireSpan


def wire(
    attributes: dict[str, Any],
    *,
    name: str = "step",
    events: tuple[WireEvent, ...] = (),
    status: SpanStatus = SpanStatus.UNSET,
    status_message: str = "",
    resource: dict[str, Any] | None = None,
) -> WireSpan:
    return WireSpan(
        trace_id=bytes(16),
        span_id=bytes(8),
        parent_span_id=None,
        name=name,
        start_ns=0,
        end_ns=1,
        status=status,
        status_message=status_message,
        attributes=attributes,
        events=events,
        origin=Origin(resource=resource or {}),
    )


def read(attributes: dict[str, Any], **more: Any) -> SpanFacts:
    return read_span(wire(attributes, **more))


def event(name: str, **attributes: Any) -> WireEvent:
    return WireEvent(name, 0, attributes)
