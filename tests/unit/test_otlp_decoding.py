"""Whatever a body holds, it is read or refused by name, and what is read can be stored."""

import gzip
import json
from collections import Counter

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.core.inflate import gunzip
from app.exceptions import AppError, BadRequest, PayloadTooLarge
from app.services.ingestion.otlp import DECODERS, JSON, PROTOBUF, json_request
from app.services.ingestion.otlp.encoding import any_value
from app.services.ingestion.otlp.logs import decode_logs
from app.services.ingestion.otlp.other_signals import count_points
from app.services.ingestion.prepared import prepare
from tests.otlp.fuzz import Request, bombs, requests, varint
from tests.otlp.requests import as_json, as_protobuf, encoded, make_span

LIMIT = 64 * 1024 * 1024
EACH = 2_000


def left(body: bytes, is_json: bool) -> int:
    """How many log records are of no span."""
    return decode_logs(body, is_json).left


def outcome(request: Request) -> str:
    try:
        body = gunzip(request.body, LIMIT) if request.is_gzip else request.body
        decoded = DECODERS[request.media_type](body)
    except AppError as error:
        return type(error).__name__
    prepared = prepare(decoded, lambda *_: None)
    for trace in prepared.traces.values():
        orjson.dumps(trace.claims)
        for item in trace.items.values():
            for text in item.body:
                assert text is None or "\\u0000" not in text.replace("\\\\", "")
                json.loads(text or "null")
    return "read"


@pytest.mark.parametrize("seed", range(10))
def test_no_body_breaks_the_reading(seed: int) -> None:
    seen = Counter(outcome(request) for request in requests(seed, EACH))
    assert seen.keys() <= {"read", "BadRequest", "PayloadTooLarge"}
    assert min(seen["read"], seen["BadRequest"]) > EACH / 10


def test_bombs_are_refused_or_harmless() -> None:
    seen = [outcome(bomb) for bomb in bombs()]
    assert seen[:3] == ["PayloadTooLarge", "PayloadTooLarge", "BadRequest"]
    assert set(seen[3:]) <= {"read", "BadRequest"}


def test_both_encodings_say_the_same() -> None:
    span = make_span(
        2,
        parent=1,
        attributes={"t": "x", "i": 7, "f": 2.5, "b": True, "l": ["a", 1], "d": {"k": b"\x00"}},
        status_message="no",
        kind=3,
    )
    read = [DECODERS[kind](encoded([span], kind)["content"]).spans for kind in DECODERS]
    assert read[0] == read[1] == [span]


def test_text_that_was_cut_within_a_character_loses_no_span() -> None:
    request = as_json([make_span(1, name="cut"), make_span(2, attributes={"n": "cut"})])
    body = json.dumps(request).replace('cut"', 'cut \\ud83d"').encode()
    read = DECODERS[JSON](body).spans
    assert (read[0].name, read[1].attributes) == ("cut ?", {"n": "cut ?"})
    with pytest.raises(BadRequest):
        DECODERS[JSON](body[:-1])
    with pytest.raises(BadRequest):
        DECODERS[JSON](b'{"resourceSpans": ["\\ud83d", ' + b"[" * 100_000)


def test_numbers_that_json_cannot_write_come_as_text() -> None:
    request = as_json([make_span(1, attributes={"n": 1.5})])
    value = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][0]["value"]
    found = []
    for told in ("2.5", "-Infinity", "NaN", "many"):
        value["doubleValue"] = told
        found.append(DECODERS[JSON](json.dumps(request).encode()).spans[0].attributes["n"])
    assert repr(found) == "[2.5, -inf, nan, None]"


def test_ids_may_be_hex_of_either_case_or_base64() -> None:
    request = as_json([make_span(1, trace=0xABCDEF)])
    span = request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    found = []
    for trace_id in (span["traceId"], span["traceId"].upper(), "AAAAAAAAAAAAAAAAAKvN7w=="):
        span["traceId"] = trace_id
        found.append(DECODERS[JSON](json.dumps(request).encode()).spans[0].trace_id)
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"traceId": ""}, "trace id"),
        ({"traceId": "0" * 32}, "trace id"),
        ({"traceId": "xyz"}, "trace id"),
        ({"spanId": "12"}, "span id"),
        ({"traceId": "", "spanId": ""}, "log records"),
        ({"startTimeUnixNano": "0"}, "start time"),
        ({"startTimeUnixNano": "x"}, "start time"),
        ({"startTimeUnixNano": "9223372036854775807"}, "in the future"),
    ],
)
def test_a_span_that_cannot_be_stored_says_why_and_loses_no_other(
    changes: dict[str, str], reason: str
) -> None:
    request = as_json([make_span(1), make_span(2)])
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= changes
    decoded = DECODERS[JSON](json.dumps(request).encode())
    assert [len(decoded.spans), len(decoded.rejected)] == [1, 1]
    assert reason in decoded.rejected[0].reason
    kept = decoded.rejected[0].request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert kept["name"] == "step 1"


def test_attributes_as_an_object_are_refused_by_name() -> None:
    request = as_json([make_span(1)])
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = {"a": "b"}
    with pytest.raises(BadRequest, match="attributes must be a list"):
        DECODERS[JSON](json.dumps(request).encode())


def test_gzip_of_several_members_is_read_and_the_rest_refused() -> None:
    packed = encoded([make_span(1)], PROTOBUF, packed=True)["content"]
    whole = as_protobuf(as_json([make_span(1)]))
    assert gunzip(packed + packed, LIMIT) == whole * 2
    for broken in (b"no gzip", packed[:-3], packed + b"rest", gzip.compress(b"") * 1_000):
        with pytest.raises(BadRequest):
            gunzip(broken, LIMIT)
    with pytest.raises(PayloadTooLarge):
        gunzip(packed, 10)


def test_large_number_is_sent_on_as_it_was() -> None:
    for number in (2**63 - 1, -(2**63), 10**22):  # jsonb makes the last one of 1e22
        assert json_request.value_of(any_value(number)) == number


def test_other_signals_are_counted_in_both_encodings() -> None:
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {"severityNumber": 9}]}]}]}
    gauge = {"name": "g", "gauge": {"dataPoints": [{"asDouble": 1.5}]}}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    for count, kind, request, wanted in (
        (left, ExportLogsServiceRequest, logs, 2),
        (count_points, ExportMetricsServiceRequest, metrics, 1),
    ):
        packed = ParseDict(request, kind()).SerializeToString()
        assert count(packed, False) == count(json.dumps(request).encode(), True) == wanted
        assert count(b"", False) == count(b"", True) == 0
        for broken, is_json in ((b"\xff", False), (b"[]", True), (b"{", True), (b"7", True)):
            with pytest.raises(BadRequest):
                count(broken, is_json)


def test_request_of_another_signal_is_refused_with_the_path_it_goes_to() -> None:
    body = b'{"resourceLogs": [{}]}'
    with pytest.raises(BadRequest, match="resourceLogs go to /v1/logs"):
        DECODERS[JSON](body)
    assert left(body, is_json=True) == 0
    assert DECODERS[JSON](b'{"newer": 1}').spans == []


def names_in(body: bytes, media_type: str) -> list[str]:
    return [f"{span.origin.scope_name} {span.name}" for span in DECODERS[media_type](body).spans]


def test_scopes_of_before_otlp_0_16_are_read_in_both_encodings() -> None:
    request = as_json([make_span(1)])
    of_resource = request["resourceSpans"][0]
    (of_scope,) = of_resource.pop("scopeSpans")
    plain = as_protobuf({"resourceSpans": [{"scopeSpans": [of_scope]}]})
    of_library = {"instrumentationLibrary": of_scope.pop("scope"), **of_scope}
    of_resource["instrumentationLibrarySpans"] = [of_library]
    assert names_in(json.dumps(request).encode(), JSON) == ["tests step 1"]
    # The tag of field 1000, where 2 is the scopes of today.
    scope = ExportTraceServiceRequest.FromString(plain).resource_spans[0].scope_spans[0]
    inner = b"\xc2\x3e" + varint(scope.ByteSize()) + scope.SerializeToString()
    assert names_in(b"\x0a" + varint(len(inner)) + inner, PROTOBUF) == ["tests step 1"]
    with pytest.raises(BadRequest):
        DECODERS[PROTOBUF](b"\x0a\x05\xc2\x3e\x02\x12\x09")


def test_lists_under_both_spellings_are_one() -> None:
    one, two = as_json([make_span(1)]), as_json([make_span(2)])
    both = one | {"resource_spans": two["resourceSpans"]}
    assert names_in(json.dumps(both).encode(), JSON) == ["tests step 1", "tests step 2"]
