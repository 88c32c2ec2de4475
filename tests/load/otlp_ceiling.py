"""The least that takes spans durably: decode the protobuf, COPY five columns, commit, answer.

No key, no agents, no runs, no totals, no second copy of a span wins: what a receiver cannot do
without, as a ceiling to measure ours by.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TABLE = """
CREATE TABLE IF NOT EXISTS bare_spans (
    trace_id bytea, span_id bytea, started_at timestamptz, name text, attributes jsonb,
    PRIMARY KEY (trace_id, span_id)
)
"""
COLUMNS = ("trace_id", "span_id", "started_at", "name", "attributes")
OK = ExportTraceServiceResponse().SerializeToString()


def rows_of(body: bytes) -> list[tuple[Any, ...]]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        (
            span.trace_id,
            span.span_id,
            datetime.fromtimestamp(span.start_time_unix_nano / 1e9, UTC),
            span.name,
            orjson.dumps(
                {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}
            ).decode(),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def traces(request: Request) -> Response:
    rows = rows_of(await request.body())
    async with request.app.state.pool.acquire() as connection:
        await connection.copy_records_to_table("bare_spans", records=rows, columns=COLUMNS)
    return Response(OK, media_type="application/x-protobuf")


async def ready(_: Request) -> Response:
    return Response("ok")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"].replace("postgresql+asyncpg", "postgresql")
    async with asyncpg.create_pool(url, min_size=4, max_size=4) as pool:
        await pool.execute(TABLE)
        app.state.pool = pool
        yield


app = Starlette(
    routes=[Route("/v1/traces", traces, methods=["POST"]), Route("/health/ready", ready)],
    lifespan=lifespan,
)
