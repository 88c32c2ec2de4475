"""Steps of runs: stored by upsert, read with their bodies."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Text, and_, bindparam, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import Base, Execution, HourlyFigures, Span, SpanBody
from app.models.base import table_of
from app.models.executions import CostSource
from app.models.spans import SpanKind
from app.schemas.executions import MAX_SPANS
from app.schemas.spans import PricedSpan, SpanCreate, nanoseconds
from app.services.ingestion.stored_words import words_of
from app.services.stale_hours import mark_stale

KEY = ("trace_id", "span_id", "started_at")
BODY_FIELDS = ("input", "output", "attributes", "events")
SAME_STEP = and_(*(getattr(SpanBody, name) == getattr(Span, name) for name in KEY))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]  # column values
# More than so many spans are read beside the event loop.
FEW = 50


# Steps of other kinds tell something only where an import kept messages in them.
CAN_TELL = or_(
    Span.kind.in_((SpanKind.LLM, SpanKind.TOOL)),
    and_(Span.kind == SpanKind.OTHER, SpanBody.input.has_key("messages")),
)
OUTLINE = (
    select(*table_of(Span).c)
    .where(Span.execution_id == bindparam("run"))
    .order_by(Span.start_ns, Span.span_id)
    .limit(bindparam("limit"))
)


def upsert_of(model: type[Base]) -> Insert:
    """A statement for one row, which the driver sends many of at once; compiled a single time."""
    statement = insert(table_of(model))
    replaced = {c.name: c for c in statement.excluded if c.name not in KEY}
    return statement.on_conflict_do_update(index_elements=KEY, set_=replaced)


STORE_SPAN, STORE_BODY = upsert_of(Span), upsert_of(SpanBody)


@dataclass(frozen=True, slots=True)
class FullSpan:
    """A span and its body, with what the step was given and what it gave (any JSON values)."""

    span: Any  # a Span, or its row
    body: SpanBody | None
    input: Any = None
    output: Any = None

    def __getattr__(self, name: str) -> Any:  # columns of either
        if name in BODY_FIELDS:
            return None if self.body is None else getattr(self.body, name)
        return getattr(self.span, name)


def full_span(span: Any, body: SpanBody | None) -> FullSpan:
    if body is None:
        return FullSpan(span, body)
    if body.origin_id is None or body.input is not None or body.output is not None:
        return FullSpan(span, body, body.input, body.output)
    spoken = words_of(span.kind, body.attributes, body.events)
    return FullSpan(span, body, spoken.input, spoken.output)


def full_spans(rows: Sequence[Any]) -> list[FullSpan]:
    return [full_span(span, body) for span, body in rows]


def moment_of(ns: int) -> datetime:
    """The microsecond that holds this nanosecond, for querying and partitioning."""
    return EPOCH + timedelta(microseconds=ns // 1000)


def made_up_id(trace_id: bytes, position: int) -> bytes:
    """The same span without an id gets the same one each time it is sent."""
    return hashlib.sha256(trace_id + position.to_bytes(8, "big")).digest()[:8]


def distinct(spans: Sequence[SpanCreate]) -> list[SpanCreate]:
    """The spans that will be stored: of several with the same id and start, the last."""
    return list({(s.span_id or i, s.start_ns): s for i, s in enumerate(spans)}.values())


def cost_source_of(span: SpanCreate) -> CostSource:
    if span.cost is None:
        return CostSource.UNPRICED
    return CostSource.COMPUTED if isinstance(span, PricedSpan) else CostSource.REPORTED


def span_row(execution: Execution, span: SpanCreate, position: int) -> Row:
    start_ns = span.start_ns if span.start_ns is not None else nanoseconds(execution.started_at)
    given = bytes.fromhex(span.span_id) if span.span_id else None
    return {
        "trace_id": execution.stored_trace_id,
        "span_id": given or made_up_id(execution.stored_trace_id, position),
        "started_at": moment_of(start_ns),
        "execution_id": execution.id,
        "parent_span_id": bytes.fromhex(span.parent_span_id) if span.parent_span_id else None,
        "kind": span.kind,
        "name": span.name,
        "status": span.status,
        "start_ns": start_ns,
        "end_ns": span.end_ns,
        "model_name": span.model_name,
        "provider_name": span.said_provider,
        "tool_name": span.tool_name,
        "input_tokens": span.input_tokens,
        "output_tokens": span.output_tokens,
        "cached_tokens": span.cached_tokens,
        "cache_write_tokens": span.cache_write_tokens,
        "reasoning_tokens": span.reasoning_tokens,
        "cost": span.cost,
        "cost_source": cost_source_of(span),
    }


def in_json(words: str) -> list[str]:
    """Words as they stand in JSON, where a quote and a line's end are written otherwise.

    What OpenTelemetry sent is often JSON within JSON, and all ASCII.
    """
    cases = (words, words.lower(), words.upper())
    once = [json.dumps(words, ensure_ascii=False)[1:-1], *(json.dumps(c)[1:-1] for c in cases)]
    # Most words are the same in every form.
    return list(
        dict.fromkeys([*once, *(json.dumps(form, ensure_ascii=False)[1:-1] for form in once)])
    )


class SpanService:
    """Reads and writes follow the run's visibility: callers hand over a run they may touch."""

    resource = "spans"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def store(self, execution: Execution, spans: Sequence[SpanCreate]) -> None:
        """Insert, or replace the span with the same ids and start: later writes win."""
        rows: dict[tuple[Any, ...], Row] = {}
        bodies: dict[tuple[Any, ...], Row] = {}
        for position, span in enumerate(spans):
            row = span_row(execution, span, position)
            key = tuple(row[name] for name in KEY)
            rows[key] = row
            bodies[key] = {name: row[name] for name in KEY} | {
                name: getattr(span, name) for name in BODY_FIELDS
            }
        if rows:
            connection = await self.session.connection()
            await connection.execute(STORE_SPAN, list(rows.values()))
            await connection.execute(STORE_BODY, list(bodies.values()))
        if any(row["kind"] is SpanKind.TOOL for row in rows.values()):
            mark_stale(self.session, HourlyFigures.TOOL_CALLS, execution)

    async def of(self, execution: Execution, limit: int = MAX_SPANS) -> list[Span]:
        """The narrow rows by start time."""
        statement = (
            select(Span)
            .where(Span.execution_id == execution.id)
            .order_by(Span.start_ns, Span.span_id)
            .limit(limit)
        )
        return list(await self.session.scalars(statement))

    async def outline(self, execution: Execution, limit: int = MAX_SPANS) -> Sequence[Any]:
        """The narrow rows by start time, as plain rows: a tree of thousands is drawn from them."""
        self.actor.require(Permission.EXECUTIONS_READ)
        rows = await self.session.execute(OUTLINE, {"run": execution.id, "limit": limit})
        return rows.all()

    async def spoken(
        self, execution: Execution, after: Any | None, limit: int
    ) -> Sequence[Any]:  # rows of a span and its body
        """The next steps with bodies that can tell of what was said; ``after`` is the last row."""
        self.actor.require(Permission.EXECUTIONS_READ)
        statement = (
            select(Span, SpanBody)
            .outerjoin(SpanBody, SAME_STEP)
            .where(Span.execution_id == execution.id, CAN_TELL)
            .order_by(Span.start_ns, Span.span_id)
            .limit(limit)
        )
        if after is not None:
            last = after[0]
            place = tuple_(Span.start_ns, Span.span_id) > (last.start_ns, last.span_id)
            statement = statement.where(Span.start_ns >= last.start_ns, place)
        return (await self.session.execute(statement)).all()

    async def with_bodies(self, execution: Execution, limit: int = MAX_SPANS) -> list[FullSpan]:
        """Spans with what they were given and gave, by start time: one query."""
        self.actor.require(Permission.EXECUTIONS_READ)
        statement = (
            select(Span, SpanBody)
            .outerjoin(SpanBody, SAME_STEP)
            .where(Span.execution_id == execution.id)
            .order_by(Span.start_ns, Span.span_id)
            .limit(limit)
        )
        rows = (await self.session.execute(statement)).all()
        if len(rows) <= FEW:
            return full_spans(rows)
        return await asyncio.to_thread(full_spans, rows)

    async def with_body(self, execution: Execution, span: Any) -> FullSpan:  # or its row
        """One step of the run, as it was read, with what it was given and gave."""
        self.actor.require(Permission.EXECUTIONS_READ)
        key = (execution.stored_trace_id, span.span_id, span.started_at)
        return full_span(span, await self.session.get(SpanBody, key))

    async def holding(self, execution: Execution, words: str) -> set[bytes]:
        """Ids of the steps that hold these words, in any case, in a name, text or attribute."""
        self.actor.require(Permission.EXECUTIONS_READ)
        named = [Span.name, Span.model_name, Span.tool_name, func.encode(Span.span_id, "hex")]
        told = [getattr(SpanBody, name).cast(Text) for name in BODY_FIELDS]
        holds = [column.icontains(words, autoescape=True) for column in named] + [
            column.icontains(form, autoescape=True) for column in told for form in in_json(words)
        ]
        statement = (
            select(Span.span_id)
            .outerjoin(SpanBody, SAME_STEP)
            .where(Span.execution_id == execution.id, or_(*holds))
            .limit(MAX_SPANS)
        )
        return set(await self.session.scalars(statement))
