"""ExportLogsServiceRequest in both encodings: of all log records, those that tell of a span.

Source: open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-events.md; the events of one
message each are from the conventions up to 1.36.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from app.exceptions import BadRequest
from app.schemas.base import MAX_BIGINT
from app.services.ingestion.dialects.evaluations import EVENT
from app.services.ingestion.dialects.genai import DETAILS
from app.services.ingestion.dialects.genai_legacy import CHOICE, ROLES_OF_EVENTS
from app.services.ingestion.otlp import json_request, protobuf_request
from app.services.ingestion.otlp.json_request import entries, integer, objects, octets, text
from app.services.ingestion.rejections import log_rejection_of
from app.services.ingestion.wire import OF_THE_RUN, Attributes, Rejection, WireEvent, WireLog

TELLING = frozenset({*ROLES_OF_EVENTS, CHOICE, DETAILS, EVENT})
NO_TRACE = (
    "This event has no trace id, so it is of no run. Write it inside a span, with the context of "
    "the trace."
)
NAME, BODY = "event.name", "body"
Ids = tuple[bytes, bytes]
# The ids, the name of the event, its moments (ns), what it says and its body, best first.
Record = tuple[Ids, str, tuple[int, int], Attributes, Any]


@dataclass(slots=True)
class DecodedLogs:
    """What tells of a span or a run, what would if it said of which, and how many others."""

    kept: list[WireLog] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    left: int = 0


def usable(given: bytes, size: int) -> bytes:
    """Empty for what is no id, as it is where none is said."""
    return given if len(given) == size and any(given) else OF_THE_RUN


def log_of(record: Record) -> WireLog | None:
    """``None`` for a record that is no event of a model."""
    ids, name, moments, attributes, body = record
    called = name or attributes.get(NAME)
    if called not in TELLING:
        return None
    told = {key: value for key, value in attributes.items() if key != NAME}
    if body is not None:
        told.setdefault(BODY, body)
    time_ns = min(next((moment for moment in moments if moment > 0), 0), MAX_BIGINT)
    return WireLog(usable(ids[0], 16), usable(ids[1], 8), WireEvent(called, time_ns, told))


def records_in_protobuf(body: bytes) -> Iterator[Record]:
    try:
        request = ExportLogsServiceRequest.FromString(body)
    except (DecodeError, RecursionError) as error:
        raise BadRequest("The body is no ExportLogsServiceRequest in protobuf.") from error
    for of_resource in request.resource_logs:
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                yield (
                    (record.trace_id, record.span_id),
                    record.event_name,
                    (record.time_unix_nano, record.observed_time_unix_nano),
                    protobuf_request.attributes_of(record.attributes),
                    protobuf_request.value_of(record.body),
                )


def records_in_json(body: bytes) -> Iterator[Record]:
    request = json_request.request_in(body, "resourceLogs")
    for of_resource in entries(request, "resourceLogs", "resource_logs"):
        for of_scope in objects(of_resource, "scopeLogs", "scope_logs"):
            for record in objects(of_scope, "logRecords"):
                moments = (record.get("timeUnixNano"), record.get("observedTimeUnixNano"))
                yield (
                    (octets(record.get("traceId"), 16), octets(record.get("spanId"), 8)),
                    text(record, "eventName"),
                    (integer(moments[0]), integer(moments[1])),
                    json_request.attributes_of(record),
                    json_request.value_of(record.get("body")),
                )


def decode_logs(body: bytes, is_json: bool) -> DecodedLogs:
    """Raise ``BadRequest`` when it is no such message."""
    records: Callable[[bytes], Iterator[Record]]
    records = records_in_json if is_json else records_in_protobuf
    decoded = DecodedLogs()
    for record in records(body):
        log = log_of(record)
        if log is None:
            decoded.left += 1
        elif not log.trace_id:
            decoded.rejected.append(log_rejection_of(log, NO_TRACE))
        else:
            decoded.kept.append(log)
    return decoded
