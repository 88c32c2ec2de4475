"""Log records as events of the spans they tell of, whichever of both is here first.

They are kept apart from the spans. After each of both is committed, it looks for the other: so
whoever comes last finds what was there before, and nobody waits for anybody.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    DateTime,
    LargeBinary,
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
from app.models import Span, SpanBody, SpanLog, SpanOrigin
from app.services.ingestion.claims import extent_of
from app.services.ingestion.exports import STORED, again, entries
from app.services.ingestion.intake import TraceIntake
from app.services.ingestion.known_runs import IN_TRASH, Runs, Sender, find_runs, lock_runs
from app.services.ingestion.otlp.checks import MAX_EVENTS
from app.services.ingestion.otlp.json_request import decode_json
from app.services.ingestion.prepared import PreparedLog, prepare
from app.services.ingestion.pricing import price_span
from app.services.ingestion.wire import OF_THE_RUN, Decoded, WireEvent, WireSpan
from app.services.pricing import current_book

SpanKey = tuple[bytes, bytes]  # trace id as it was sent, span id or ``OF_THE_RUN``
RunOfSpan = Mapping[SpanKey, Row[Any]]
LogsOfSpan = dict[SpanKey, list[Row[Any]]]
# The first of each span that the owner of its run may have sent, in the order they happened in.
WAITING = text(f"""
SELECT l.* FROM unnest(
    CAST(:traces AS bytea[]), CAST(:spans AS bytea[]),
    CAST(:users AS bigint[]), CAST(:agents AS bigint[])
) AS k (trace_id, span_id, user_id, agent_id) CROSS JOIN LATERAL (
    SELECT * FROM span_logs s WHERE s.trace_id = k.trace_id AND s.span_id = k.span_id
    AND (s.sees_all OR s.user_id = k.user_id) AND (s.agent_id IS NULL OR s.agent_id = k.agent_id)
    ORDER BY s.time_ns, s.id LIMIT {MAX_EVENTS}
) l ORDER BY l.time_ns, l.id
""").columns(attributes=JSONB)  # noqa: S608  (a number of ours)
# The limit has each looked for by the index, however many logs there are. Of most traces there are
# none, and traces are fewer than spans.
TOLD_TRACES = text("""
SELECT k.trace_id FROM unnest(CAST(:traces AS bytea[])) AS k (trace_id)
CROSS JOIN LATERAL (SELECT FROM span_logs l WHERE l.trace_id = k.trace_id LIMIT 1) l
""")
TOLD = text("""
SELECT k.trace_id, k.span_id
FROM unnest(CAST(:traces AS bytea[]), CAST(:spans AS bytea[])) AS k (trace_id, span_id)
CROSS JOIN LATERAL (
    SELECT FROM span_logs l WHERE l.trace_id = k.trace_id AND l.span_id = k.span_id LIMIT 1
) l ORDER BY k.trace_id, k.span_id
""")
# With the run they are removed, too.
NOTE = text("""
UPDATE span_logs l SET execution_id = k.execution_id
FROM unnest(CAST(:ids AS bigint[]), CAST(:runs AS bigint[])) AS k (id, execution_id)
WHERE l.id = k.id
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


def is_for(log: Row[Any], run: Row[Any], runs: Sequence[Row[Any]]) -> bool:
    """Whether spans of its sender would go to this run, of all of its trace."""
    return Sender(log.user_id, log.agent_id, log.sees_all).run_among(runs) is run


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


def all_with_events(spans: Sequence[WireSpan], logs: LogsOfSpan) -> list[WireSpan]:
    return [with_events(span, logs[span.trace_id, span.span_id]) for span in spans]


def read_again(
    rows: Sequence[Row[Span, SpanBody, SpanOrigin]], sent: Mapping[bytes, bytes]
) -> list[WireSpan]:
    """Stored spans; ``sent`` has the trace id that was sent by the one that is stored."""
    spans = [again(sent[row[0].trace_id], *row) for row in rows]
    return decode_json(orjson.dumps({"resourceSpans": entries(spans)})).spans


def root_of(run: Row[Any]) -> bytes | None:
    """The id of its root span; of several the first. ``None`` while there is none."""
    root = run.claims.get("root")
    return bytes.fromhex(root[2]) if root else None


def at_their_spans(logs: LogsOfSpan, runs: RunOfSpan) -> LogsOfSpan:
    """What is told of a run belongs to its root, and waits for one."""
    found: LogsOfSpan = defaultdict(list)
    for (trace_id, span_id), told in logs.items():
        at = root_of(runs[trace_id, span_id]) if span_id == OF_THE_RUN else span_id
        if at is not None:
            found[trace_id, at] += told
    return found


def ids_in(keys: Collection[SpanKey]) -> dict[str, list[bytes]]:
    return {"traces": [key[0] for key in keys], "spans": [key[1] for key in keys]}


class SpanLogs:
    """Within the unit of work of whoever calls, and for one actor."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.sender = Sender.of(actor)

    async def keep(self, logs: Sequence[PreparedLog]) -> dict[bytes, str]:
        """All but those of the traces that are returned, with the reason. Repeats change nothing"""
        if not logs:
            return {}
        found = await find_runs(self.session, {log.key[0] for log in logs})
        own = {trace: self.sender.run_among(runs) for trace, runs in found.items()}
        refused = {trace: IN_TRASH for trace, run in own.items() if run and run.deleted_at}
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
        traces = {"traces": list({key[0] for key in keys})}
        told = set(await self.session.scalars(TOLD_TRACES, traces))
        if not told:
            return []
        named = ids_in([key for key in keys if key[0] in told])
        return [tuple(row) for row in await self.session.execute(TOLD, named)]

    async def fold(self, keys: Collection[SpanKey]) -> int:
        """Give these spans what logs tell of them: how many spans say more now."""
        # Locked before the spans are read: what another request stores meanwhile is not undone.
        found = await lock_runs(self.session, self.sender, {key[0] for key in keys})
        own = {t: run for t, runs in found.items() if (run := self._open_run(runs)) is not None}
        runs = {key: own[key[0]] for key in keys if key[0] in own}
        if not runs:
            return 0
        logs = at_their_spans(await self._waiting(runs, found), runs)
        changed: list[WireSpan] = []
        new: dict[int, int] = {}  # logs that no span had, and whose run has them now
        spans = await self._spans({key: own[key[0]] for key in logs})
        for span, more in zip(
            spans, await asyncio.to_thread(all_with_events, spans, logs), strict=True
        ):
            told, run = logs[span.trace_id, span.span_id], own[span.trace_id]
            new |= {log.id: run.id for log in told if log.execution_id is None}
            if more is not span:
                changed.append(more)
        if new:
            await self.session.execute(NOTE, {"ids": list(new), "runs": list(new.values())})
        await self._store(changed)
        return len(changed)

    def _open_run(self, runs: Sequence[Row[Any]]) -> Row[Any] | None:
        """The one that spans of this actor go to: only by OpenTelemetry it has events of it."""
        run = self.sender.run_among(runs)
        is_open = run is not None and run.deleted_at is None and run.claims is not None
        return run if is_open else None

    async def _waiting(self, runs: RunOfSpan, of_trace: Runs) -> LogsOfSpan:
        """What is for these runs; a sender may have meant another run of the same trace."""
        whose = {
            "users": [run.user_id for run in runs.values()],
            "agents": [run.agent_id for run in runs.values()],
        }
        logs: LogsOfSpan = defaultdict(list)
        for log in await self.session.execute(WAITING, ids_in(runs) | whose):
            key = log.trace_id, log.span_id
            if is_for(log, runs[key], of_trace[log.trace_id]):
                logs[key].append(log)
        return logs

    async def _spans(self, runs: RunOfSpan) -> list[WireSpan]:
        """The stored spans, as they would be sent to another Greenroom."""
        if not runs:
            return []
        extents = [extent_of(run.claims) for run in runs.values()]
        statement = (
            STORED.join(NAMED, IS_NAMED)
            .where(SpanOrigin.id.is_not(None), Span.started_at.between(*BOUNDS))
            .order_by(Span.trace_id, Span.span_id, Span.start_ns)
        )
        bounds = {"earliest": min(e[0] for e in extents), "latest": max(e[1] for e in extents)}
        stored = [(run.stored_trace_id, key[1]) for key, run in runs.items()]
        rows = (await self.session.execute(statement, ids_in(stored) | bounds)).all()
        sent = {run.stored_trace_id: key[0] for key, run in runs.items()}
        return await asyncio.to_thread(read_again, rows, sent)

    async def _store(self, spans: list[WireSpan]) -> None:
        if not spans:
            return
        pricing = partial(price_span, await current_book(self.session))
        prepared = await asyncio.to_thread(prepare, Decoded(spans, []), pricing)
        await TraceIntake(self.session, self.actor).store(list(prepared.traces.values()))
