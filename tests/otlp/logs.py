"""Log records as runtimes send them beside their spans."""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from app.services.ingestion.otlp import JSON
from app.services.ingestion.otlp.encoding import any_value, pairs
from tests.otlp.requests import BEGIN_NS, with_base64_ids

Json = dict[str, Any]


def make_log(
    name: str,
    body: Any = None,  # any attribute value
    *,
    span: int = 1,
    trace: int = 1,
    after: int = 0,
    **attributes: Any,  # any attribute values; two underscores are a dot
) -> Json:
    """An event of the span of that number, so many nanoseconds after the first."""
    said = {key.replace("__", "."): value for key, value in attributes.items()}
    return {
        "timeUnixNano": str(BEGIN_NS + after),
        "eventName": name,
        "traceId": f"{trace:032x}",
        "spanId": f"{span:016x}",
        "attributes": pairs(said),
        "severityNumber": 9,
        **({} if body is None else {"body": any_value(body)}),
    }


def logs_json(records: Sequence[Json]) -> Json:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def logs_protobuf(request: Json) -> bytes:
    return ParseDict(with_base64_ids(request), ExportLogsServiceRequest()).SerializeToString()


def encoded_logs(records: Sequence[Json], media_type: str) -> Json:
    """``content`` and ``headers`` for a client."""
    request = logs_json(records)
    content = json.dumps(request).encode() if media_type == JSON else logs_protobuf(request)
    return {"content": content, "headers": {"Content-Type": media_type}}
