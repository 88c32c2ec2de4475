"""A run as OTLP's JSON: for other tools that take OpenTelemetry, and for another Greenroom."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, select, tuple_

from app.core.actor import Actor
from app.core.database import Database
from app.models import Execution, ExecutionBody, Span, SpanBody, SpanOrigin
from app.models.executions import ExecutionStatus
from app.models.spans import SpanKind, SpanStatus
from app.schemas.spans import nanoseconds
from app.services.executions import ExecutionService
from app.services.ingestion.exported_words import attributes_of, event_of, words_of
from app.services.ingestion.otlp.encoding import STATUS_CODES, Json, resource_spans, span_json
from app.services.ingestion.wire import Attributes, Origin, WireSpan
from app.services.spans import KEY, made_up_id

READ_AT_ONCE = 200
SCOPE = "greenroom"
NO_ORIGIN = -1
SAME_SPAN = and_(*(getattr(SpanBody, name) == getattr(Span, name) for name in KEY))
STORED = (
    select(Span, SpanBody, SpanOrigin)
    .outerjoin(SpanBody, SAME_SPAN)
    .outerjoin(SpanOrigin, SpanOrigin.id == SpanBody.origin_id)
)
ROWS = STORED.order_by(Span.start_ns, Span.span_id).limit(READ_AT_ONCE)
USAGE = (
    "model_name",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
)
BAD = frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED, ExecutionStatus.STALLED})


@dataclass(frozen=True, slots=True)
class Exported:
    """A span on its way out, and what made it."""

    origin_id: int
    origin: Origin
    json: Json


def own_origin(execution: Execution) -> Origin:
    """Of steps that were not reported by OpenTelemetry: the agent is the service."""
    return Origin({"service.name": execution.agent.name}, SCOPE)


def exported(
    execution: Execution, span: Span, body: SpanBody | None, origin: SpanOrigin | None
) -> Exported:
    if origin is not None:
        return again(execution.trace_id, span, body, origin)
    made_by, attributes = own_origin(execution), attributes_of(execution, span, body)
    step = told(execution.trace_id, span, body, made_by, attributes)
    if span.parent_span_id is None and execution.status in BAD:
        # Over OpenTelemetry a run has the outcome of its root, which our reports need not name.
        step["status"] = step.get("status", {}) | {"code": STATUS_CODES[SpanStatus.ERROR]}
    return Exported(NO_ORIGIN, made_by, step)


def again(trace_id: bytes, span: Span, body: SpanBody | None, origin: SpanOrigin) -> Exported:
    """A span of OpenTelemetry as it was sent, without secrets."""
    made_by, attributes = wire_origin(origin), (body and body.attributes) or {}
    return Exported(origin.id, made_by, told(trace_id, span, body, made_by, attributes))


def told(
    trace_id: bytes, span: Span, body: SpanBody | None, made_by: Origin, attributes: Attributes
) -> Json:
    wire: Json = (body and body.wire) or {}
    events: list[Json] = (body and body.events) or []
    made = WireSpan(
        trace_id=trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        status=span.status,
        status_message=wire.get("status_message", ""),
        attributes=attributes,
        events=tuple(event_of(event, span.start_ns) for event in events),
        origin=made_by,
        kind=wire.get("kind", 0),
        parent_is_remote=wire.get("remote_parent", False),
        dropped=wire.get("dropped", {}),
    )
    links = {"links": wire["links"]} if wire.get("links") else {}
    return span_json(made) | links


def wire_origin(row: SpanOrigin) -> Origin:
    return Origin(row.resource, row.scope_name, row.scope_version, row.schema_url)


def only_step(execution: Execution, body: ExecutionBody | None) -> Exported:
    """The run itself as a step, for one that was reported without any."""
    given, said = (body.input, body.output) if body else (None, None)
    failed = execution.status in BAD
    usage = {name: getattr(execution, name) for name in USAGE}
    kind = SpanKind.AGENT if set(usage.values()) == {None} else SpanKind.LLM
    step = Span(kind=kind, span_id=made_up_id(execution.trace_id, 0), **usage)
    ended_at, origin = execution.ended_at, own_origin(execution)
    made = WireSpan(
        trace_id=execution.trace_id,
        span_id=step.span_id,
        parent_span_id=None,
        name=f"invoke_agent {execution.agent.name}",
        start_ns=nanoseconds(execution.started_at),
        end_ns=nanoseconds(ended_at) if ended_at else None,
        status=SpanStatus.ERROR if failed else SpanStatus.UNSET,
        status_message=(body and body.error) or "",
        attributes=attributes_of(execution, step, None) | words_of(kind, given, said),
        events=(),
        origin=origin,
    )
    return Exported(NO_ORIGIN, origin, span_json(made))


def entries(spans: Sequence[Exported]) -> list[Json]:
    """Entries of ``resourceSpans``; neighbours of one origin share theirs."""
    found: list[Json] = []
    last: int | None = None
    for span in spans:
        if span.origin_id != last:
            found.append(resource_spans(span.origin, []))
            last = span.origin_id
        found[-1]["scopeSpans"][0]["spans"].append(span.json)
    return found


@dataclass(slots=True)
class RunExport:
    """One run, read in short units of work: a slow reader holds no transaction open."""

    database: Database
    actor: Actor
    execution_id: int
    _after: tuple[Any, ...] | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """An ExportTraceServiceRequest in JSON, in pieces of some hundred spans."""
        yield b'{"resourceSpans":['
        is_first = True
        while spans := await self._next():
            text = orjson.dumps(entries(spans))[1:-1]
            yield text if is_first else b"," + text
            is_first = False
        yield b"]}"

    async def _next(self) -> list[Exported]:
        async with self.database.unit_of_work() as session:
            runs = ExecutionService(session, self.actor)
            execution = await runs.get(self.execution_id)
            if not execution.span_count:
                is_first, self._after = self._after is None, ()
                return [only_step(execution, await runs.find_body(execution))] if is_first else []
            statement = ROWS.where(Span.execution_id == execution.id)
            if self._after:
                statement = statement.where(tuple_(Span.start_ns, Span.span_id) > self._after)
            rows = (await session.execute(statement)).all()
            if rows:
                self._after = (rows[-1][0].start_ns, rows[-1][0].span_id)
            return [exported(execution, *row) for row in rows]
