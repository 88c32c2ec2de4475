"""Stores traces: whatever arrives in whatever order, the same spans make the same runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import asyncpg
import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.events import Event, publish
from app.core.permissions import Permission
from app.exceptions import AppError
from app.models import HourlyFigures
from app.models.executions import OPEN_STATUSES, ExecutionSource, ExecutionStatus
from app.services.feedback import FeedbackService
from app.services.ingestion import statements as sql
from app.services.ingestion.claims import (
    Claims,
    agent_in,
    details_of,
    extent_of,
    header_of,
    merge,
    value_in,
)
from app.services.ingestion.growing_runs import (
    Growth,
    awaited_in,
    growth_of,
    keep_awaited,
    stored_steps,
)
from app.services.ingestion.known_runs import IN_TRASH, Sender, lock_runs
from app.services.ingestion.new_runs import totals_in
from app.services.ingestion.origins import Origins
from app.services.ingestion.prepared import Trace, to_json
from app.services.ingestion.rejections import rejection_of
from app.services.ingestion.reported_agents import Home, ReportedAgents
from app.services.ingestion.reports import apart
from app.services.ingestion.wire import Rejection
from app.services.stale_hours import mark_hour
from app.services.webhook_events import Change
from app.services.webhook_outbox import note_changes

TAG_SEPARATOR = "\x1f"
KEY_OF_ROW = itemgetter(0, 1, 2)


@dataclass(slots=True)
class Run:
    """A trace of this batch and the execution it belongs to, as it will be stored."""

    trace: Trace
    known: Row[Any] | None = None
    execution_id: int = 0
    # What its spans are stored under; see ``Execution.stored_trace_id``.
    stored_id: bytes = field(init=False)
    claims: Claims = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    home: Home | None = None
    header: dict[str, Any] = field(default_factory=dict)
    growth: Growth | None = None

    def __post_init__(self) -> None:
        self.stored_id = self.trace.trace_id

    @property
    def sent_id(self) -> bytes | None:
        """The sender's id, where it is not the one that is stored."""
        return None if self.stored_id == self.trace.trace_id else self.trace.trace_id

    @property
    def is_new(self) -> bool:
        """Made in this transaction: nobody else can have stored a span of it."""
        return self.known is None

    @property
    def is_ours(self) -> bool:
        """Runs that were recorded by other means say themselves what they are."""
        return self.known is None or self.known.source is ExecutionSource.OTLP

    @property
    def started_at(self) -> datetime:
        moment: datetime = self.header["started_at"]
        return moment


@dataclass(frozen=True, slots=True)
class Told:
    """A run as webhooks are told of it."""

    id: int
    agent_id: int
    trace_hex: str
    status: ExecutionStatus
    started_at: datetime
    ended_at: datetime | None
    latency_ms: int | None
    session_id: str | None
    source: ExecutionSource = ExecutionSource.OTLP
    external_id: str | None = None


class TraceIntake:
    """Within the unit of work of whoever calls, and for one actor."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.rejected: dict[bytes, str] = {}  # by trace id: why none of its spans is stored

    async def store(self, traces: Sequence[Trace]) -> list[Run]:
        """All but those in ``rejected``. Raise ``Forbidden`` without the permission."""
        self.actor.require(Permission.EXECUTIONS_WRITE)
        runs = await self._begin([Run(trace) for trace in traces])
        if not runs:
            return []
        await self._measure_growth(runs)
        await self._store_spans(runs)
        await self._store_headers(runs)
        await self._store_bodies([run for run in runs if run.is_ours])
        await self._store_evaluations(runs)
        self._mark_hours(runs)
        await self._tell(runs)
        return runs

    async def _driver(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await (await self.session.connection()).get_raw_connection()
        driver: asyncpg.Connection[asyncpg.Record] | None = connection.driver_connection
        if driver is None:
            raise RuntimeError("No driver connection.")
        return driver

    # Which execution a trace is of

    async def _begin(self, runs: list[Run]) -> list[Run]:
        """Find and lock the executions, or make them; refuse what is not this actor's."""
        await self._recognise(runs)
        await self._place([run for run in runs if run.trace.trace_id not in self.rejected])
        new = [run for run in self._left(runs) if run.known is None]
        if new:
            await self._add(new)
            await self._find_again(new)
            await self._add_apart([run for run in self._left(new) if not run.execution_id])
        return self._left(runs)

    async def _find_again(self, new: Sequence[Run]) -> None:
        """Those that another process added first; it has committed by now."""
        raced = [run for run in new if not run.execution_id]
        if raced:
            await self._recognise(raced)
            await self._place([run for run in self._left(raced) if run.known is not None])

    async def _add_apart(self, taken: list[Run]) -> None:
        """Those whose trace id a run has that this actor may not see: beside it, unsaid."""
        for run in taken:
            run.stored_id = apart(run.trace.trace_id, self.actor)
        if taken:
            await self._add(taken)
            await self._find_again(taken)
        for run in taken:
            if not run.execution_id:
                self.rejected[run.trace.trace_id] = "This trace id cannot be used."

    def _left(self, runs: Sequence[Run]) -> list[Run]:
        return [run for run in runs if run.trace.trace_id not in self.rejected]

    async def _recognise(self, runs: Sequence[Run]) -> None:
        by_id = {run.trace.trace_id: run for run in runs}
        sender = Sender.of(self.actor)
        found = await lock_runs(self.session, sender, by_id)
        for trace_id, run in by_id.items():
            known = sender.run_among(found[trace_id])
            if known is None:
                continue
            run.known, run.execution_id, run.stored_id = known, known.id, known.stored_trace_id
            if known.deleted_at is not None:
                self.rejected[trace_id] = IN_TRASH

    async def _place(self, runs: Sequence[Run]) -> None:
        """Merge what is claimed, and find the agent where that is claimed anew."""
        agents = ReportedAgents(self.session, self.actor)
        for run in runs:
            run.claims = dict(run.known.claims or {}) if run.known is not None else {}
            run.changed = merge(run.claims, run.trace.claims)
            known = run.known
            if known is not None and ("agent" not in run.changed or not run.is_ours):
                run.home = Home(known.agent_id, known.agent_revision_id)
            else:
                try:
                    model_name = value_in(run.claims, "model_name")
                    run.home = await agents.home_of(agent_in(run.claims), model_name)
                except AppError as error:
                    self.rejected[run.trace.trace_id] = error.message
                    continue
            run.header = header_of(run.claims)
            run.header |= {
                "agent_id": run.home.agent_id,
                "agent_revision_id": run.home.revision_id,
            }

    async def _add(self, runs: list[Run]) -> None:
        ordered = sorted(runs, key=lambda run: run.stored_id)
        ids = [[run.stored_id for run in ordered], [run.sent_id for run in ordered]]
        totals = zip(*(totals_in(run.trace.items.values()) for run in ordered), strict=True)
        columns = [*ids, *self._headers(ordered), *map(list, totals), tags_of(ordered)]
        driver = await self._driver()
        who = (self.actor.user_id, self.actor.api_key_id)
        by_id = {run.stored_id: run for run in ordered}
        for row in await driver.fetch(sql.ADD_EXECUTIONS, *who, *columns):
            by_id[row["trace_id"]].execution_id = row["id"]

    @staticmethod
    def _headers(runs: Sequence[Run]) -> list[list[Any]]:
        return [[run.header[name] for run in runs] for name in sql.HEADER_COLUMNS]

    # What is stored

    async def _measure_growth(self, runs: Sequence[Run]) -> None:
        """Before the spans are stored: of long runs what these add to them."""
        growing = {
            run.stored_id: (run, awaited)
            for run in runs
            if run.known is not None and run.is_ours
            if (awaited := awaited_in(run.claims, run.known.row_version)) is not None
        }
        if not growing:
            return
        asked = [
            (stored_id, run.claims, list(run.trace.items.values()))
            for stored_id, (run, _) in growing.items()
        ]
        stored = await stored_steps(await self._driver(), asked)
        if stored is None:
            return
        for stored_id, (run, awaited) in growing.items():
            run.growth = growth_of(run.trace.items.values(), stored[stored_id], awaited)

    async def _store_spans(self, runs: Sequence[Run]) -> None:
        driver = await self._driver()
        wires = (item.wire for run in runs for item in run.trace.items.values())
        origins = await Origins(self.session, driver).ids_of(wires)
        await sql.copy_spans(driver, rows_of((run for run in runs if run.is_new), origins))
        await sql.store_spans(driver, rows_of((run for run in runs if not run.is_new), origins))

    async def _store_headers(self, runs: Sequence[Run]) -> None:
        driver = await self._driver()
        ordered = sorted(runs, key=lambda run: run.execution_id)
        await self._grow([run for run in ordered if run.growth is not None])
        await self._update([run for run in ordered if not run.is_new and run.growth is None])
        claims = [orjson.dumps(run.claims).decode() for run in ordered]
        await driver.execute(sql.KEEP_CLAIMS, [run.execution_id for run in ordered], claims)

    async def _update(self, runs: Sequence[Run]) -> None:
        """Those that may have spans of other batches; the totals of new ones are known."""
        if not runs:
            return
        ids = [run.execution_id for run in runs]
        extents = [extent_of(run.claims) for run in runs]
        earliest, latest = min(e[0] for e in extents), max(e[1] for e in extents)
        given = [ids, *self._headers(runs), tags_of(runs)]
        driver = await self._driver()
        by_id = {run.execution_id: run for run in runs}
        for row in await driver.fetch(sql.UPDATE_EXECUTIONS, *given, earliest, latest):
            keep_awaited(by_id[row["id"]].claims, row["row_version"], row["awaited"])

    async def _grow(self, runs: Sequence[Run]) -> None:
        """Those whose totals only become more."""
        if not runs:
            return
        added = [run.growth.added for run in runs if run.growth is not None]
        given = [[run.execution_id for run in runs], *self._headers(runs), tags_of(runs)]
        columns = [*given, *map(list, zip(*added, strict=True))]
        await (await self._driver()).execute(sql.GROW_EXECUTIONS, *columns)
        for run in runs:
            if run.growth is not None and run.known is not None:
                keep_awaited(run.claims, run.known.row_version + 1, run.growth.awaited)

    async def _store_bodies(self, runs: Sequence[Run]) -> None:
        driver = await self._driver()
        moved = [
            (run.execution_id, run.known.started_at, run.started_at)
            for run in runs
            if run.known is not None and run.known.started_at != run.started_at
        ]
        if moved:
            await driver.execute(sql.MOVE_BODIES, *map(list, zip(*moved, strict=True)))
        rows = [self._body(run) for run in runs if self._says_more(run)]
        if rows:
            await driver.execute(sql.STORE_BODIES, *map(list, zip(*rows, strict=True)))
        others = [(r.execution_id, r.started_at) for r in runs if not self._says_more(r)]
        if others:
            await driver.execute(sql.FORGET_WORDS, *map(list, zip(*others, strict=True)))

    @staticmethod
    def _says_more(run: Run) -> bool:
        bodied = {"input", "output", "error", "end_user", "environment", "release", "agent"}
        return run.known is None or bool(run.changed & bodied) or run.header["ended_at"] is not None

    @staticmethod
    def _body(run: Run) -> tuple[Any, ...]:
        failed = run.header["status"] is ExecutionStatus.FAILED
        error = (value_in(run.claims, "error") or {}).get("error") if failed else None
        return (
            run.execution_id,
            run.started_at,
            "input" in run.changed,
            to_json(run.trace.input),
            "output" in run.changed,
            to_json(run.trace.output),
            error,
            to_json(details_of(run.claims) or None),
        )

    async def _store_evaluations(self, runs: Sequence[Run]) -> None:
        said = [
            (run.execution_id, item.wire.span_id, evaluation)
            for run in runs
            for item in run.trace.items.values()
            for evaluation in item.evaluations
        ]
        await FeedbackService(self.session, self.actor).add_reported(said)

    def _mark_hours(self, runs: Sequence[Run]) -> None:
        """Have calls of tools counted anew, also where a run has moved away from."""
        for run in runs:
            places = {(run.header["agent_id"], run.started_at)}
            if run.known is not None:
                places.add((run.known.agent_id, run.known.started_at))
            if len(places) > 1 or any(item.is_tool for item in run.trace.items.values()):
                for agent_id, moment in places:
                    mark_hour(self.session, HourlyFigures.TOOL_CALLS, agent_id, moment)

    # Who is to know

    async def _tell(self, runs: Sequence[Run]) -> None:
        """Live pages and webhooks: of each run that there is more of it, or that it has ended."""
        changes = []
        for run in runs:
            agent_id = run.header["agent_id"]
            publish(
                self.session,
                Event("executions", "update"),
                Event(f"execution:{run.execution_id}", "update", {"id": run.execution_id}),
                Event(f"agent:{agent_id}", "execution", {"id": agent_id}),
            )
            before = None if run.known is None else run.known.status
            now = run.header["status"]
            if run.is_ours and now not in OPEN_STATUSES and before != now:
                changes.append(Change("executions", "create", told(run), {}))
        await note_changes(self.session, self.actor, changes)


def rows_of(runs: Iterable[Run], origins: dict[int, int]) -> list[tuple[Any, ...]]:
    """Spans as ``sql.ALL`` has them, in one order for every process."""
    rows = [
        (
            *(run.stored_id, *item.key[1:], run.execution_id),
            *(*item.row, *item.body, origins[id(item.wire.origin)]),
        )
        for run in runs
        for item in run.trace.items.values()
    ]
    rows.sort(key=KEY_OF_ROW)
    return rows


def tags_of(runs: Sequence[Run]) -> list[str]:
    return [TAG_SEPARATOR.join(run.header["tags"]) for run in runs]


def told(run: Run) -> Told:
    columns = ("agent_id", "status", "started_at", "ended_at", "latency_ms", "session_id")
    return Told(
        id=run.execution_id,
        trace_hex=run.trace.trace_id.hex(),
        **{name: run.header[name] for name in columns},
    )


def rejections(traces: Sequence[Trace], reasons: dict[bytes, str]) -> list[Rejection]:
    return [
        rejection_of(item.wire, reasons[trace.trace_id])
        for trace in traces
        if trace.trace_id in reasons
        for item in trace.items.values()
    ]
