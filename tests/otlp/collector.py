"""A server on loopback that takes spans by OTLP over HTTP, and keeps them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.requests import Request
from starlette.responses import Response

from tests.loopback import LoopbackServer


def attributes_of(pairs: Any) -> dict[str, Any]:  # a repeated KeyValue
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


@dataclass(slots=True)
class Collector:
    url: str = ""
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # ASGI
        request = Request(scope, receive)
        assert request.url.path == "/v1/traces"
        body = gzip.decompress(await request.body())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        await Response(answer, media_type="application/x-protobuf")(scope, receive, send)

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, Any]:
        return attributes_of(self.requests[0].resource_spans[0].resource.attributes)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def clear(self) -> None:
        for kept in (self.requests, self.headers, self.bodies):
            kept.clear()


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    with LoopbackServer(collector) as server:
        collector.url = server.url
        yield collector
