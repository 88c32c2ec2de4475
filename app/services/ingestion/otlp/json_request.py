"""ExportTraceServiceRequest in OTLP's JSON: ids in hex, enums as numbers, int64 as text or number.

Unknown fields are ignored, as the protocol demands; a part of the wrong shape is refused by name.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

import orjson

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

Json = dict[str, Any]
PATHS = {
    "resourceSpans": "/v1/traces",
    "resourceLogs": "/v1/logs",
    "resourceMetrics": "/v1/metrics",
}
# The last is from before OTLP 0.16, in which scopes were libraries.
SCOPE_SPANS = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
SURROGATE = rb"\ud"
DOUBLE = "doubleValue"
SCALARS: dict[str, tuple[type, ...]] = {
    "stringValue": (str,),
    "boolValue": (bool,),
    DOUBLE: (int, float),
}


def objects(parent: Json, *names: str) -> list[Json]:
    """The lists of objects under these names, as one. Raise ``BadRequest``."""
    together: list[Json] = []
    for name in names:
        found = parent.get(name)
        if found is None:
            continue
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise BadRequest(f"{name} must be a list of objects.")
        together += found
    return together


def entries(request: Json, *names: str) -> list[Json]:
    """As ``objects``, of the request itself: who writes null there has lost what was to be sent."""
    for name in names:
        if name in request and request[name] is None:
            raise BadRequest(f"{name} must be a list of objects.")
    return objects(request, *names)


def obj(parent: Json, name: str) -> Json:
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest(f"{name} must be an object.")
    return found


def text(parent: Json, name: str) -> str:
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def integer(value: Any) -> int:  # a number, or one written as text; anything else is none
    """0 for what is no whole number of 64 bits."""
    try:
        number = int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return 0
    return number if -(2**63) <= number < 2**64 else 0


def number(value: Any) -> float | None:  # as protobuf's JSON writes what JSON has no number for
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def octets(value: Any, size: int) -> bytes:  # hex, or base64 as plain protobuf JSON has it
    """Empty for what is neither."""
    if not isinstance(value, str):
        return b""
    try:
        if len(value) == 2 * size:
            return bytes.fromhex(value)
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return b""


def value_of(value: Any, depth: int = 0) -> Any:  # an AnyValue
    if not isinstance(value, dict):
        return None
    if "intValue" in value:
        return integer(value["intValue"])
    for name, kinds in SCALARS.items():
        if name in value:
            said = value[name]
            return said if isinstance(said, kinds) else number(said) if name == DOUBLE else None
    return nested(value, depth)


def nested(value: Json, depth: int) -> Any:  # list, dict or bytes
    if depth >= checks.MAX_DEPTH:
        return None
    if "arrayValue" in value:
        items = objects(obj(value, "arrayValue"), "values")
        return [value_of(item, depth + 1) for item in items]
    if "kvlistValue" in value:
        pairs = objects(obj(value, "kvlistValue"), "values")
        return {text(pair, "key"): value_of(pair.get("value"), depth + 1) for pair in pairs}
    return octets(value["bytesValue"], -1) if "bytesValue" in value else None


def attributes_of(parent: Json) -> Attributes:
    pairs = parent.get("attributes")
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        raise BadRequest('attributes must be a list of {"key": …, "value": …}, not an object.')
    return {
        pair["key"]: value_of(pair.get("value"))
        for pair in pairs[: checks.MAX_ATTRIBUTES]
        if isinstance(pair, dict) and isinstance(pair.get("key"), str)
    }


def events_of(span: Json) -> tuple[WireEvent, ...]:
    return tuple(
        WireEvent(text(e, "name"), integer(e.get("timeUnixNano")), attributes_of(e))
        for e in objects(span, "events")[: checks.MAX_EVENTS]
    )


def span_of(span: Json, ids: tuple[bytes, bytes], origin: Origin) -> WireSpan:
    status = obj(span, "status")
    start_ns = integer(span.get("startTimeUnixNano"))
    dropped, is_cut = dropped_of(span)
    return WireSpan(
        trace_id=ids[0],
        span_id=ids[1],
        parent_span_id=checks.parent_of(octets(span.get("parentSpanId"), 8), ids[1]),
        name=checks.name_of(text(span, "name")),
        start_ns=start_ns,
        end_ns=checks.end_of(start_ns, integer(span.get("endTimeUnixNano"))),
        status=checks.STATUSES.get(integer(status.get("code")), SpanStatus.UNSET),
        status_message=text(status, "message"),
        attributes=attributes_of(span),
        events=events_of(span),
        origin=origin,
        kind=integer(span.get("kind")),
        links=links_of(span),
        parent_is_remote=checks.parent_is_remote(integer(span.get("flags"))),
        dropped=dropped,
        is_cut=is_cut,
    )


def dropped_of(span: Json) -> tuple[dict[str, int], bool]:
    lists = (span.get(name) for name in checks.LIMITS)
    attributes, events, links = (len(found) if isinstance(found, list) else 0 for found in lists)
    names = ("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount")
    ours, theirs, others = (integer(span.get(name)) for name in names)
    return checks.dropped((attributes, events, links), (ours, theirs, others))


def located(request: Json) -> Iterator[tuple[Json, Origin]]:
    """Each span and what made it."""
    for of_resource in entries(request, "resourceSpans", "resource_spans"):
        resource = attributes_of(obj(of_resource, "resource"))
        schema_url = text(of_resource, "schemaUrl")
        for of_scope in objects(of_resource, *SCOPE_SPANS):
            scope = obj(of_scope, "scope") or obj(of_scope, "instrumentationLibrary")
            url = text(of_scope, "schemaUrl") or schema_url
            origin = Origin(resource, text(scope, "name"), text(scope, "version"), url)
            for span in objects(of_scope, "spans"):
                yield span, origin


def links_of(span: Json) -> tuple[WireLink, ...]:
    return tuple(
        WireLink(
            octets(link.get("traceId"), 16), octets(link.get("spanId"), 8), attributes_of(link)
        )
        for link in objects(span, "links")[: checks.MAX_LINKS]
    )


def parsed(body: bytes) -> Any:  # a JSON value
    """Raise ``ValueError`` or ``RecursionError`` for what is no JSON.

    Half of a pair of surrogates, as in texts that JavaScript has cut, loses no spans: it becomes a
    question mark.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if SURROGATE not in body.lower():
            raise
    whole = json.dumps(json.loads(body), ensure_ascii=False)
    return orjson.loads(whole.encode("utf-8", "replace"))


def request_in(body: bytes, field: str) -> Json:
    """The request whose list is called ``field``.

    Raise ``BadRequest`` when it is no object, and for one of another signal: taken for one that
    holds nothing, it would be answered as if it were stored.
    """
    try:
        request = parsed(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no JSON: {error}.") from error
    if not isinstance(request, dict):
        raise BadRequest(f"The body must be a JSON object with {field}.")
    others = [name for name in PATHS if name != field and request.get(name)]
    if others:
        raise BadRequest(f"{others[0]} go to {PATHS[others[0]]}, in a request of their own.")
    return request


def decode_json(body: bytes) -> Decoded:
    """Raise ``BadRequest`` when it is no such message."""
    request = request_in(body, "resourceSpans")
    latest = checks.latest_ns()
    decoded = Decoded([], [])
    for span, origin in located(request):
        ids = octets(span.get("traceId"), 16), octets(span.get("spanId"), 8)
        reason = checks.problem_of(*ids, integer(span.get("startTimeUnixNano")), latest)
        read = span_of(span, ids, origin)
        if reason is None:
            decoded.spans.append(read)
        else:
            decoded.rejected.append(rejection_of(read, reason, span))
    return decoded
