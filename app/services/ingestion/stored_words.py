"""What was said in steps that are stored as OpenTelemetry sent them.

Their messages are kept once, among the raw attributes and events, and read from there.
"""

from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.services.ingestion.dialects import words_in
from app.services.ingestion.facts import Spoken
from app.services.ingestion.wire import Attributes, Origin, WireEvent, WireSpan

Json = Any  # any JSON value
NOWHERE = Origin()


def words_of(kind: SpanKind, attributes: Attributes | None, events: Json) -> Spoken:
    """Of a step by its kind and by what its body holds."""
    told = events if isinstance(events, list) else []
    span = WireSpan(
        trace_id=b"",
        span_id=b"",
        parent_span_id=None,
        name="",
        start_ns=0,
        end_ns=None,
        status=SpanStatus.UNSET,
        status_message="",
        attributes=attributes or {},
        events=tuple(WireEvent(event["name"], 0, event["attributes"]) for event in told),
        origin=NOWHERE,
    )
    return words_in(span, kind)
