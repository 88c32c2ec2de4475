"""Spans as OpenTelemetry sends them, whether they came as protobuf or as JSON.

Source: opentelemetry-proto, trace/v1/trace.proto. Attribute values are plain Python: text, int,
float, bool, bytes, list or dict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.models.spans import SpanStatus

Attributes = dict[str, Any]  # values as above
OF_THE_RUN = b""  # the span id of what tells of no span in particular


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a span: the resource (a service) and the instrumentation scope within it."""

    resource: Attributes = field(default_factory=dict)
    scope_name: str = ""
    scope_version: str = ""
    schema_url: str = ""


@dataclass(frozen=True, slots=True)
class WireEvent:
    """Something that happened at a moment of a span."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class WireLink:
    """Another span that has to do with this one."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class WireLog:
    """A log record that tells of a span, as an event of that span would."""

    trace_id: bytes  # 16
    span_id: bytes  # 8, or ``OF_THE_RUN``
    event: WireEvent


@dataclass(frozen=True, slots=True)
class Rejection:
    """A span or event that cannot be stored, and why; ``request`` would send it again, as OTLP's
    JSON, from ``sendable_at`` on; ``None`` where it can never be stored as it is.
    """

    reason: str
    name: str
    request: dict[str, Any]
    sendable_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request, read: what can be stored, and what cannot."""

    spans: list["WireSpan"]
    rejected: list[Rejection]


@dataclass(slots=True)  # made thousands of times a second; freezing takes longer than the rest
class WireSpan:
    """One span, never changed once it is made.

    ``end_ns`` is ``None`` while it is open; ``kind`` is OpenTelemetry's number.
    """

    trace_id: bytes  # 16
    span_id: bytes  # 8
    parent_span_id: bytes | None
    name: str
    start_ns: int
    end_ns: int | None
    status: SpanStatus
    status_message: str
    attributes: Attributes
    events: tuple[WireEvent, ...]
    origin: Origin
    kind: int = 0
    # The parent is in another service, which may not send its spans here.
    parent_is_remote: bool = False
    links: tuple[WireLink, ...] = ()
    # How many of its "attributes", "events" and "links" are not here: some libraries drop them
    # themselves. ``is_cut`` where there were more than are kept.
    dropped: Mapping[str, int] = field(default_factory=dict)
    is_cut: bool = False
