"""Log records as events of the spans they tell of, whichever of both is here first.

They are kept apart from the spans. After each of both is committed, it looks for the other: so
whoever comes last finds what was there before, and nobody waits for anybody.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    DateTime,
    LargeBinary,
    Result,
    Row,
    and_,
    bindparam,
    column,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Span, SpanLog, SpanOrigin
from app.services.ingestion.claims import extent_of
from app.services.ingestion.exports import STORED, again, entries
from app.services.ingestion.intake import FOUND, KNOWN, TraceIntake, problem_of
from app.services.ingestion.otlp.checks import MAX_EVENTS
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.prepared import PreparedLog, prepare
from app.services.ingestion.pricing import price_span
from app.services.ingestion.wire import Decoded, WireEvent, WireSpan
from app.services.pricing import current_book

SpanKey = tuple[bytes, bytes]  # trace id, span id
KEYS = "unnest(CAST(:traces AS bytea[]), CAST(:spans AS bytea[])) AS k (trace_id, span_id)"
# The first of each span, in the order in which they happened.
WAITING = text(f"""
SELECT l.* FROM {KEYS} CROSS JOIN LATERAL (
    SELECT * FROM span_logs s WHERE s.trace_id = k.trace_id AND s.span_id = k.span_id
    ORDER BY s.time_ns, s.id LIMIT {MAX_EVENTS}
) l ORDER BY l.time_ns, l.id
""").columns(attributes=JSONB)  # noqa: S608  (a number of ours)
# The limit has each span looked for by the index, however many logs there are.
TOLD = text(f"""
SELECT k.trace_id, k.span_id FROM {KEYS} CROSS JOIN LATERAL (
    SELECT FROM span_logs l WHERE l.trace_id = k.trace_id AND l.span_id = k.span_id LIMIT 1
) l ORDER BY k.trace_id, k.span_id
""")  # noqa: S608  (names of ours)
# With the run they are removed, too.
NOTE = text("""
UPDATE span_logs l SET execution_id = e.id FROM executions e
WHERE l.id = ANY (:ids) AND e.trace_id = l.trace_id
""")
AT_ONCE = 200  # spans, each with ``MAX_EVENTS`` at most
IDS = ARRAY(LargeBinary)
NAMED = (
    func.unnest(bindparam("traces", type_=IDS), bindparam("spans", type_=IDS))
    .table_valued(column("trace_id", LargeBinary), column("span_id", LargeBinary), name="k")
    .render_derived()
)
MOMENT = DateTime(timezone=True)
BOUNDS = (bindparam("earliest", type_=MOMENT), bindparam("latest", type_=MOMENT))
IS_NAMED = and_(Span.trace_id == NAMED.c.trace_id, Span.span_id == NAMED.c.span_id)


def digest_of(actor: Actor, event: WireEvent) -> bytes:
    """The same for what the same sender says again."""
    told = [actor.user_id, actor.only_agent_id, event.time_ns, event.name, event.attributes]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


def may_tell(log: Row[Any], run: Row[Any]) -> bool:
    """Whether its sender may write to the run, which may have begun after it was sent."""
    is_theirs = log.sees_all or log.user_id == run.user_id
    return is_theirs and log.agent_id in (None, run.agent_id)


def with_events(span: WireSpan, logs: Sequence[Row[Any]]) -> WireSpan:
    """The span itself when it has them all."""
    # Both may be a thousand: each is compared with those of its moment alone.
    known: dict[int, list[WireEvent]] = defaultdict(list)
    for event in span.events:
        known[event.time_ns].append(event)
    told = [WireEvent(log.name, log.time_ns, log.attributes) for log in logs]
    new = [event for event in told if event not in known[event.time_ns]]
    if not new:
        return span
    events = sorted([*span.events, *new], key=lambda event: event.time_ns)
    return replace(span, events=tuple(events[:MAX_EVENTS]))


def ids_in(keys: Collection[SpanKey]) -> dict[str, list[bytes]]:
    return {"traces": [key[0] for key in keys], "spans": [key[1] for key in keys]}


class SpanLogs:
    """Within the unit of work of whoever calls, and for one actor."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def keep(self, logs: Sequence[PreparedLog]) -> dict[bytes, str]:
        """All but those of the traces that are returned, with the reason. Repeats change nothing"""
        if not logs:
            return {}
        traces = list({log.key[0] for log in logs})
        found: Result[Any] = await self.session.execute(FOUND, {"trace_ids": traces})
        problems = {row.trace_id: problem_of(self.actor, row) for row in found}
        refused = {trace: problem for trace, problem in problems.items() if problem}
        rows = [self._row(log) for log in logs if log.key[0] not in refused]
        # In one order for every process.
        rows.sort(key=lambda row: (row["trace_id"], row["span_id"], row["sha256"]))
        if rows:
            await self.session.execute(insert(SpanLog).on_conflict_do_nothing(), rows)
        return refused

    def _row(self, log: PreparedLog) -> dict[str, Any]:
        return {
            "trace_id": log.key[0],
            "span_id": log.key[1],
            "sha256": digest_of(self.actor, log.event),
            "time_ns": log.event.time_ns,
            "name": log.event.name,
            "attributes": log.event.attributes,
            "user_id": self.actor.user_id,
            "agent_id": self.actor.only_agent_id,
            "sees_all": self.actor.sees_all_rows,
        }

    async def told(self, keys: Collection[SpanKey]) -> list[SpanKey]:
        """Those of these spans that logs tell of: of most senders none, and that is quick."""
        return [tuple(row) for row in await self.session.execute(TOLD, ids_in(keys))]

    async def fold(self, keys: Collection[SpanKey]) -> int:
        """Give these spans what logs tell of them: how many spans say more now."""
        result = await self.session.execute(WAITING, ids_in(keys))
        logs: dict[SpanKey, list[Row[Any]]] = defaultdict(list)
        for log in result:
            logs[log.trace_id, log.span_id].append(log)
        if not logs:
            return 0
        # Locked before the spans are read: what another request stores meanwhile is not undone.
        found: Result[Any] = await self.session.execute(
            KNOWN, {"trace_ids": list({key[0] for key in logs})}
        )
        runs = {run.trace_id: run for run in found if self._is_open(run)}
        changed, new = [], set()
        for span in await self._spans(list(runs.values()), list(logs)):
            run = runs[span.trace_id]
            allowed = [log for log in logs[span.trace_id, span.span_id] if may_tell(log, run)]
            new |= {log.id for log in allowed if log.execution_id is None}
            more = with_events(span, allowed)
            if more is not span:
                changed.append(more)
        if new:
            await self.session.execute(NOTE, {"ids": list(new)})
        await self._store(changed)
        return len(changed)

    def _is_open(self, run: Row[Any]) -> bool:
        """Only what came by OpenTelemetry itself has events of it."""
        return problem_of(self.actor, run) is None and run.claims is not None

    async def _spans(self, runs: Sequence[Row[Any]], keys: Sequence[SpanKey]) -> list[WireSpan]:
        """The stored spans, as they would be sent to another Greenroom."""
        if not runs:
            return []
        extents = [extent_of(run.claims) for run in runs]
        statement = (
            STORED.join(NAMED, IS_NAMED)
            .where(SpanOrigin.id.is_not(None), Span.started_at.between(*BOUNDS))
            .order_by(Span.trace_id, Span.span_id, Span.start_ns)
        )
        bounds = {"earliest": min(e[0] for e in extents), "latest": max(e[1] for e in extents)}
        rows = (await self.session.execute(statement, ids_in(keys) | bounds)).all()
        own = {run.trace_id for run in runs}
        sent = [again(*row) for row in rows if row[0].trace_id in own]
        return decode_json(orjson.dumps({"resourceSpans": entries(sent)})).spans

    async def _store(self, spans: list[WireSpan]) -> None:
        if not spans:
            return
        pricing = partial(price_span, await current_book(self.session))
        prepared = await asyncio.to_thread(prepare, Decoded(spans, []), pricing)
        await TraceIntake(self.session, self.actor).store(list(prepared.traces.values()))
