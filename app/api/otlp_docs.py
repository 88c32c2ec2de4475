"""How the OTLP endpoints are described."""

from typing import Any

from pydantic import BaseModel

from app.api.openapi import ERRORS, RETRY_AFTER
from app.api.otlp_answers import CODES
from app.services.ingestion.otlp import JSON, PROTOBUF

Json = dict[str, Any]
STATUSES = (400, 401, 403, 413, 415, 429, 503)
SPAN = {
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
    "spanId": "00f067aa0ba902b7",
    "name": "chat gpt-4o",
    "kind": 3,
    "startTimeUnixNano": "1790000000000000000",
    "endTimeUnixNano": "1790000001000000000",
    "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
}
EVENT = {
    "traceId": SPAN["traceId"],
    "spanId": SPAN["spanId"],
    "timeUnixNano": "1790000000500000000",
    "eventName": "gen_ai.user.message",
    "body": {
        "kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Where is it?"}}]}
    },
}
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "support-bot"}}]}
EXAMPLES: dict[str, Json] = {
    "resourceSpans": {"resource": RESOURCE, "scopeSpans": [{"spans": [SPAN]}]},
    "resourceLogs": {"resource": RESOURCE, "scopeLogs": [{"logRecords": [EVENT]}]},
    "resourceMetrics": {"resource": RESOURCE, "scopeMetrics": []},
}


class OtlpStatus(BaseModel):
    """``google.rpc.Status``, in the encoding of the request."""

    code: int
    message: str


class OtlpAnswer(BaseModel):
    """``partialSuccess`` is there only when there is something to say."""

    partialSuccess: dict[str, str] | None = None  # noqa: N815  (as the protocol has it)


def request_body(field: str) -> Json:
    """Of a request whose list is called ``field``; the text says that it may be protobuf, too.

    Generators of clients know no name for a body in protobuf, and would leave the operation out.
    """
    shape = {
        "type": "object",
        "properties": {field: {"type": "array", "items": {"type": "object"}}},
    }
    content = {JSON: {"schema": shape, "example": {field: [EXAMPLES[field]]}}}
    description = f"As JSON, or the same message as {PROTOBUF}; plain or compressed by gzip."
    return {"requestBody": {"required": True, "description": description, "content": content}}


def error(status: int) -> Json:
    _, description, message = ERRORS[status]
    example = {"code": CODES[status], "message": message}
    found: Json = {
        "model": OtlpStatus,
        "description": description,
        "content": {JSON: {"example": example}},
    }
    return found | ({"headers": RETRY_AFTER} if status in {429, 503} else {})


ANSWERS: dict[int | str, Json] = {
    200: {"model": OtlpAnswer, "description": "What could be stored is stored."},
    **{status: error(status) for status in STATUSES},
}
