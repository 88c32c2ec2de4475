"""OTLP over HTTP, decoded: the same spans whether they came as protobuf or as JSON."""

from collections.abc import Callable

from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.otlp.protobuf_request import decode_protobuf
from app.services.ingestion.wire import Decoded

PROTOBUF, JSON = "application/x-protobuf", "application/json"
DECODERS: dict[str, Callable[[bytes], Decoded]] = {PROTOBUF: decode_protobuf, JSON: decode_json}
