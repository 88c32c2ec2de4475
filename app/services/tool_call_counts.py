"""Counts the calls of tools that steps of kind tool have recorded, an hour of an agent at a time.

Written by the worker; ``app.services.tool_calls`` reads what it wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Text, delete, func, insert, select, text, tuple_, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import (
    CallProblemKind,
    Execution,
    HourlyFigures,
    ToolCallHour,
    ToolCallProblem,
)
from app.models.base import table_of
from app.services.analysis.counting import Keyed, Sightings
from app.services.analysis.reader import AnalysisReader
from app.services.analysis.runs import ERROR_KEYS, Chunk, RunRow, StepRow, revision_of, runs_of
from app.services.analysis.tools import OneTool, Tools
from app.services.stale_hours import Stale, StaleHourService

RUNS_AT_ONCE, STEPS_AT_ONCE = 500, 500
# Larger values are not looked into: of inputs (compressed, as stored) and of outputs.
MAX_INPUT_BYTES, MAX_OUTPUT_BYTES = 16 * 1024, 256 * 1024
# Of steps that are stored as OpenTelemetry sent them: all of their attributes, as stored, or those
# whose text is no longer; and what inputs may be.
MAX_RAW_BYTES, MAX_INPUT_CHARACTERS = 32 * 1024, 64 * 1024
# Pages look back a month.
KEPT_FOR = timedelta(days=35)
MAX_PROBLEMS, MAX_SENT = 20, 50

# Hours that changed, those first that were not counted for longest. One with many calls rests for
# a while, so that checking costs a bounded share of a processor however much comes in.
DUE = text("""
WITH marked AS (
    SELECT agent_id, hour, array_agg(transaction) AS transactions
    FROM stale_hours
    WHERE figures = 'tool_calls' AND hour > now() - CAST(:kept_for AS interval)
    GROUP BY agent_id, hour
)
SELECT m.agent_id, m.hour, m.transactions
FROM marked m
LEFT JOIN LATERAL (
    SELECT max(counted_at) AS at, sum(calls) AS calls FROM tool_call_hours c
    WHERE c.agent_id = m.agent_id AND c.hour = m.hour
) counted ON true
WHERE counted.at IS NULL
   OR counted.at < now() - least(counted.calls * interval '30 milliseconds', interval '10 minutes')
ORDER BY counted.at NULLS FIRST, m.hour DESC, m.agent_id
LIMIT :size
""")
# The next steps of these runs after a place, with no more of their bodies than is looked at.
STEPS = text("""
WITH page AS (
    SELECT trace_id, span_id, started_at, execution_id, name, status, start_ns, tool_name
    FROM spans
    WHERE execution_id = ANY(:runs) AND kind = 'tool'
      AND (execution_id, start_ns, span_id) > (:run, :start_ns, CAST(:span AS bytea))
    ORDER BY execution_id, start_ns, span_id
    LIMIT :size
)
SELECT page.execution_id, page.span_id, page.name, page.status, page.start_ns, page.tool_name,
       CASE WHEN :checks AND pg_column_size(b.input) <= :input_bytes THEN b.input::text END,
       CASE WHEN pg_column_size(b.output) > :output_bytes THEN NULL
            WHEN jsonb_typeof(b.output) = 'string'
            THEN to_jsonb(left(b.output #>> '{}', 200))::text
            WHEN jsonb_typeof(b.output) = 'object'
            THEN (SELECT jsonb_object_agg(key, value)::text FROM jsonb_each(b.output)
                  WHERE key = ANY(:error_keys)) END,
       CASE WHEN b.origin_id IS NOT NULL AND num_nonnulls(b.input, b.output) = 0
            THEN jsonb_build_array(
                CASE WHEN pg_column_size(b.attributes) <= :raw_bytes THEN b.attributes
                     ELSE (SELECT jsonb_object_agg(key, value) FROM jsonb_each(b.attributes)
                           WHERE length(value::text) <= :raw_bytes) END,
                CASE WHEN pg_column_size(b.events) <= :raw_bytes THEN b.events END
            )::text END
FROM page LEFT JOIN span_bodies b USING (trace_id, span_id, started_at)
ORDER BY page.execution_id, page.start_ns, page.span_id
""")


@dataclass(frozen=True, slots=True)
class Place:
    """A step, in the order that they are read in."""

    run_id: int = 0
    start_ns: int = 0
    span_id: bytes = b""


def tools_in(chunk: Chunk) -> Tools:
    """For another process: schemas come from users."""
    tools = Tools()
    for run in runs_of(chunk):
        tools.add(run)
    return tools


class ToolCallCountService:
    """Reads and writes for the worker alone, whatever the runs' owners."""

    resource = "tool_call_counts"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.marks = StaleHourService(session, HourlyFigures.TOOL_CALLS)

    # Reading

    async def due(self, size: int) -> list[Stale]:
        rows = await self.session.execute(DUE, {"size": size, "kept_for": KEPT_FOR})
        return [Stale(*row) for row in rows]

    async def runs(self, stale: Stale, after: tuple[datetime, int] | None) -> Sequence[Any]:
        """The next runs of the hour: ``(started_at, id, agent_revision_id, status)``."""
        key = Execution.started_at, Execution.id
        status = type_coerce(Execution.status, Text)
        statement = select(*key, Execution.agent_revision_id, status).where(
            Execution.agent_id == stale.agent_id,
            Execution.started_at >= stale.hour,
            Execution.started_at < stale.end,
            Execution.deleted_at.is_(None),
        )
        if after is not None:
            statement = statement.where(tuple_(*key) > tuple_(*after))
        rows = await self.session.execute(statement.order_by(*key).limit(RUNS_AT_ONCE))
        return rows.all()

    async def steps(self, run_ids: list[int], after: Place, *, checks: bool) -> list[StepRow]:
        """The next tool steps of these runs; without their arguments where nothing is checked."""
        values = {
            "runs": run_ids,
            "run": after.run_id,
            "start_ns": after.start_ns,
            "span": after.span_id,
            "size": STEPS_AT_ONCE,
            "checks": checks,
            "input_bytes": MAX_INPUT_BYTES,
            "output_bytes": MAX_OUTPUT_BYTES,
            "error_keys": list(ERROR_KEYS),
            "raw_bytes": MAX_RAW_BYTES,
        }
        rows = await self.session.execute(STEPS, values)
        most_input = MAX_INPUT_CHARACTERS if checks else 0
        return [step_row(*row)._replace(most_input=most_input) for row in rows]

    async def chunk(self, runs: Sequence[Any], steps: Sequence[StepRow]) -> Chunk:
        """These steps, with their runs and the revisions that say which tools there were."""
        with_steps = {step.execution_id for step in steps}
        rows = [run_row(row) for row in runs if row.id in with_steps]
        revision_ids = sorted({row.revision_id for row in rows if row.revision_id is not None})
        revisions = await AnalysisReader(self.session, self.actor).revisions(revision_ids)
        return Chunk(rows, steps, revisions)

    # Writing

    async def replace(self, stale: Stale, tools: Tools, tool_ids: dict[str, int]) -> bool:
        """Put the hour's figures in the place of the old ones; false where others were faster."""
        if not await self.marks.settle(stale):
            return False
        await self.session.execute(
            delete(ToolCallHour).where(
                ToolCallHour.agent_id == stale.agent_id, ToolCallHour.hour == stale.hour
            ),
            execution_options={"synchronize_session": False},
        )
        hour = {"agent_id": stale.agent_id, "hour": stale.hour}
        called = {name[:200]: tool for name, tool in tools.tools.items() if tool.calls}
        rows = [hour | row_of(name, tool, tool_ids.get(name)) for name, tool in called.items()]
        problems = [hour | row for name, tool in called.items() for row in problems_of(name, tool)]
        connection = await self.session.connection()
        if rows:
            counted = insert(table_of(ToolCallHour)).values(counted_at=func.clock_timestamp())
            await connection.execute(counted, rows)
        if problems:
            await connection.execute(insert(table_of(ToolCallProblem)), problems)
        return True

    async def prune(self) -> None:
        """Forget what pages show no more."""
        await self.marks.forget(KEPT_FOR)
        await self.session.execute(
            delete(ToolCallHour).where(ToolCallHour.hour < func.clock_timestamp() - KEPT_FOR),
            execution_options={"synchronize_session": False},
        )


def run_row(row: Any) -> RunRow:  # as ``runs`` reads them
    return RunRow(
        id=row.id,
        revision_id=row.agent_revision_id,
        status=row.status,
        error=None,
        latency_ms=None,
        cost=None,
        input_tokens=None,
        output_tokens=None,
        output=None,
        has_made_up_times=False,
        started_at_us=0,
    )


def step_row(
    execution_id: int,
    span_id: bytes,
    name: str,
    status: str,
    start_ns: int,
    *rest: str | None,
) -> StepRow:
    """``rest`` is the tool's name, the input, the output and what was sent."""
    tool_name, given, result, raw = rest
    return StepRow(
        execution_id=execution_id,
        span_id=span_id,
        parent_span_id=None,
        kind="tool",
        name=name,
        status=status,
        start_ns=start_ns,
        end_ns=None,
        model_name=None,
        tool_name=tool_name,
        input_tokens=None,
        output_tokens=None,
        cost=None,
        input=given,
        output=result,
        attributes=None,
        is_whole=True,
        raw=raw,
    )


def tool_ids_in(chunk: Chunk) -> dict[str, int]:
    """By name; of tools that followed each other under a name, the newest revision's."""
    found: dict[str, int] = {}
    for row in sorted(chunk.revisions.values(), key=lambda row: row.number):
        found |= revision_of(row).tool_ids
    return found


def row_of(name: str, tool: OneTool, tool_id: int | None) -> dict[str, Any]:
    return {
        "tool_name": name,
        "tool_id": tool_id,
        "calls": tool.calls,
        "errors": tool.failed.total,
        "unoffered": tool.unknown.total,
        "checked": tool.checked,
        "broken": tool.broken.total,
        "sent": most_counted({text: number.count for text, number in tool.sent.items()}),
    }


def most_counted(counts: dict[str, int]) -> list[str]:
    return sorted(counts, key=lambda text: (-counts[text], text))[:MAX_SENT]


def problems_of(name: str, tool: OneTool) -> list[dict[str, Any]]:
    kinds: dict[CallProblemKind, Keyed[str, Sightings]] = {
        CallProblemKind.BROKEN: tool.faults,
        CallProblemKind.UNKNOWN_PROPERTY: tool.strangers,
    }
    return [
        {"tool_name": name, "kind": kind.value, "what": what} | example_of(seen)
        for kind, texts in kinds.items()
        for what, seen in sorted(texts.items(), key=lambda item: (-item[1].total, item[0]))[
            :MAX_PROBLEMS
        ]
    ]


def example_of(seen: Sightings) -> dict[str, Any]:
    newest = seen.evidence[0]
    return {
        "calls": seen.total,
        "note": newest.note,
        "execution_id": newest.execution_id,
        "span_id": None if newest.span_id is None else bytes.fromhex(newest.span_id),
    }
