"""Traces that Langfuse exports, as requests of OpenTelemetry."""

import hashlib
from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from app.importers.files import Faults, InputError, documents_in
from app.importers.langfuse_attributes import Attributes, Observation, as_text, attributes_of
from app.importers.spans import Part

Json = dict[str, Any]
TRACE_BYTES, SPAN_BYTES = 16, 8
ERROR = 2  # opentelemetry-proto, Status.StatusCode
NS_PER_US, US_PER_S = 1_000, 1_000_000


def parts_of(path: Path, faults: Faults, notify: Callable[[str], None]) -> Iterator[Part]:
    """The traces of a file, one in memory at a time where each has a line of its own.

    A trace is ``{"trace": …, "observations": […]}``, or as Langfuse's API answers, the trace with
    its observations in it; a file holds one, a list of them, or one on each line. Those that
    cannot be used are told to ``faults``; ``notify`` is told what is left out of the others.
    Raise ``InputError`` for a file that cannot be read.
    """
    scores = 0
    for line, document in documents_in(path, faults):
        for number, found in enumerate(document if isinstance(document, list) else [document], 1):
            try:
                yield Part(path, [(line, request_of(found))])
                scores += score_count(found)
            except InputError as error:
                which = f", trace {number}" if isinstance(document, list) else ""
                faults(InputError(f"{path}, line {line}{which}: {error}"))
    if scores:
        notify(f"{path}: scores left out ({scores}).")


def score_count(document: Json) -> int:
    scores = document.get("trace", document).get("scores")
    return len(scores) if isinstance(scores, list) else 0


def request_of(document: Any) -> Json:  # any JSON value
    """A trace as an ExportTraceServiceRequest. Raise ``InputError`` for what is none."""
    known = document if isinstance(document, dict) else {}
    trace, steps = known.get("trace", known), known.get("observations")
    if not isinstance(steps, list) or not isinstance(trace, dict):
        raise InputError("This is no trace of Langfuse: it has no list of observations.")
    if not steps:
        raise InputError("The trace has no observations.")
    found = [observation_of(number, raw, trace) for number, raw in enumerate(steps, 1)]
    ids = {observation.raw["id"] for observation in found}
    return {
        "resourceSpans": [
            entry_of(resource, scope, [span_of(observation, ids) for observation in group])
            for (resource, scope), group in groupby(found, key=lambda o: (o.resource, o.scope))
        ]
    }


def observation_of(number: int, raw: Any, trace: Json) -> Observation:  # any JSON value
    """Raise ``InputError`` for what has no identity or no time."""
    if not isinstance(raw, dict):
        raise InputError(f"Observation {number} is not an object.")
    for name in ("id", "traceId", "startTime"):
        if not isinstance(raw.get(name), str) or not raw[name]:
            raise InputError(f"Observation {number} has no {name}.")
    for name in ("startTime", "endTime"):
        try:
            nanoseconds(raw.get(name))
        except (ValueError, OverflowError) as error:
            raise InputError(f"Observation {number}: {name} is no time.") from error
    return Observation(raw, trace)


def entry_of(resource: Json, scope: tuple[str, str], spans: list[Json]) -> Json:
    name, version = scope
    return {
        "resource": {"attributes": pairs(resource)},
        "scopeSpans": [{"scope": {"name": name, "version": version}, "spans": spans}],
    }


def span_of(observation: Observation, ids: Container[str]) -> Json:
    """A step below one that is not in the trace is a root: nothing more will come."""
    raw = observation.raw
    parent = raw.get("parentObservationId")
    above = parent if isinstance(parent, str) and parent in ids else None
    failed = raw.get("level") == "ERROR"
    message = {"message": as_text(raw["statusMessage"])} if raw.get("statusMessage") else {}
    # Events are moments; any other step without an end had none when it was exported.
    ended = raw.get("endTime") or (raw["startTime"] if raw.get("type") == "EVENT" else None)
    return {
        "traceId": hex_id(raw["traceId"], TRACE_BYTES),
        "spanId": hex_id(raw["id"], SPAN_BYTES),
        "parentSpanId": hex_id(above, SPAN_BYTES) if above else "",
        "name": str(raw.get("name") or ""),
        "startTimeUnixNano": str(nanoseconds(raw["startTime"])),
        "endTimeUnixNano": str(nanoseconds(ended)),
        "status": message | ({"code": ERROR} if failed else {}),
        "attributes": pairs(attributes_of(observation)),
    }


def hex_id(text: str, size: int) -> str:
    """Ids of OpenTelemetry as they are; any other, as older SDKs made them, by its digest."""
    plain = text.replace("-", "").lower()
    try:
        if len(bytes.fromhex(plain)) == size:
            return plain
    except ValueError:
        pass
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * size]


def nanoseconds(moment: Any) -> int:  # text, or nothing
    """Since 1970, UTC where no zone is named; 0 for nothing. Raise ``ValueError`` for no time."""
    if moment is None:
        return 0
    at = datetime.fromisoformat(str(moment))
    delta = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * US_PER_S + delta.microseconds) * NS_PER_US


def pairs(attributes: Attributes) -> list[Json]:
    """Attributes in OTLP's JSON. Source: opentelemetry-proto, common.proto, AnyValue."""
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def any_value(value: Any) -> Json:  # text, a number or a list; all else as JSON text
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case _:
            return {"stringValue": as_text(value)}
