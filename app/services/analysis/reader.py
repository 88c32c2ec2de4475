"""Runs for the analysis, read a bounded piece at a time, with no more of them than is needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Text, and_, case, cast, func, select, text, tuple_, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import AgentRevision, Execution, ExecutionBody
from app.schemas.analyses import AnalysisRequest
from app.schemas.executions import MAX_SPANS
from app.services.analysis.outputs import REASON_ATTRIBUTES
from app.services.analysis.runs import (
    MAX_INPUT_CHARACTERS,
    Chunk,
    RevisionRow,
    RunRow,
    StepRow,
)
from app.services.execution_reads import ExecutionReader

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE = 200
# What one chunk, and what one run of it, may hold: of bodies as stored, which is compressed.
CHUNK_BYTES, RUN_BYTES = 2 * 1024 * 1024, 8 * 1024 * 1024
CHUNK_RUNS, CHUNK_STEPS = 50, 3_000
MAX_OUTPUT_BYTES = 256 * 1024
ERROR_CHARACTERS = 120
ATTRIBUTES = (*REASON_ATTRIBUTES, "gen_ai.tool.call.id")

# How much there is of each run. The size of a stored value is known without reading it.
SIZES = text("""
SELECT s.execution_id, count(*),
       sum(coalesce(pg_column_size(b.input), 0) + coalesce(pg_column_size(b.output), 0)
           + coalesce(pg_column_size(b.attributes), 0) + coalesce(pg_column_size(b.events), 0)),
       bool_or(s.kind = 'tool')
           AND coalesce(bool_and(s.input_tokens IS NOT NULL) FILTER (WHERE s.kind = 'llm'), true)
FROM spans s LEFT JOIN span_bodies b USING (trace_id, span_id, started_at)
WHERE s.execution_id = ANY(:ids)
GROUP BY s.execution_id
""")
# Steps with their bodies as JSON text, up to RUN_BYTES of each run. Where tool steps tell what was
# called and tokens how large the input was, what the model was given is not read.
STEPS = text("""
WITH wanted AS (
    SELECT s.*, b.output, b.attributes, b.events, asks,
           CASE WHEN asks THEN b.input END AS input,
           b.origin_id IS NOT NULL AND num_nonnulls(b.input, b.output) = 0 AS is_raw
    FROM spans s LEFT JOIN span_bodies b ON b.trace_id = s.trace_id AND b.span_id = s.span_id
        AND b.started_at = s.started_at AND s.kind IN ('llm', 'tool', 'other')
    CROSS JOIN LATERAL (SELECT s.kind = 'tool' OR NOT s.execution_id = ANY(:told) AS asks) a
    WHERE s.execution_id = ANY(:ids)
), placed AS (
    SELECT wanted.*, row_number() OVER run AS place, count(*) OVER whole_run AS of_run,
           sum(coalesce(pg_column_size(input), 0) + coalesce(pg_column_size(output), 0)
               + coalesce(pg_column_size(attributes), 0)
               + coalesce(pg_column_size(events), 0)) OVER run <= :run_bytes AS fits
    FROM wanted
    WINDOW run AS (PARTITION BY execution_id ORDER BY start_ns, span_id, started_at),
           whole_run AS (PARTITION BY execution_id)
)
SELECT execution_id, span_id, parent_span_id, kind, name, status, start_ns, end_ns, model_name,
       tool_name, input_tokens, output_tokens, cost,
       CASE WHEN fits THEN input::text END,
       CASE WHEN fits THEN output::text END,
       CASE WHEN fits THEN (
           SELECT jsonb_object_agg(key, value)::text FROM jsonb_each(attributes)
           WHERE key = ANY(:attributes)
       ) END,
       fits AND of_run <= :max_steps,
       CASE WHEN fits AND is_raw THEN jsonb_build_array(attributes, events)::text END,
       CASE WHEN asks THEN CAST(:most_input AS integer) ELSE 0 END
FROM placed
WHERE place <= :max_steps
ORDER BY execution_id, start_ns, span_id, started_at
""")


@dataclass(frozen=True, slots=True)
class Asking:
    """Whose runs are looked at; ``revision_id`` belongs to the number in the request."""

    agent_id: int
    request: AnalysisRequest
    revision_id: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """A run in the order that they are read in, and how much of it there is."""

    run_id: int
    started_at: datetime
    steps: int = 0
    stored_bytes: int = 0
    tells_all: bool = False

    @property
    def weight(self) -> int:
        return min(self.stored_bytes, RUN_BYTES)


class AnalysisReader:
    """Reads what the actor may see; never writes."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.runs = ExecutionReader(session, actor)

    def matching(self, asking: Asking) -> Select[Execution]:
        self.actor.require(Permission.EXECUTIONS_READ)
        request = asking.request
        found = self.runs.visible().where(Execution.agent_id == asking.agent_id)
        if request.since is not None:
            found = found.where(Execution.started_at >= request.since)
        if request.until is not None:
            found = found.where(Execution.started_at < request.until)
        if asking.revision_id is not None:
            found = found.where(Execution.agent_revision_id == asking.revision_id)
        return found

    async def count(self, asking: Asking) -> int:
        """How many match, counted to one more than the limit."""
        bounded = self.matching(asking).with_only_columns(Execution.id)
        counted = bounded.limit(asking.request.limit + 1).subquery()
        return await self.session.scalar(select(func.count()).select_from(counted)) or 0

    async def page(self, asking: Asking, after: Place | None, size: int) -> list[Place]:
        """The next runs, the newest first, with their sizes: two queries."""
        key = Execution.started_at, Execution.id
        found = self.matching(asking).with_only_columns(Execution.id, Execution.started_at)
        if after is not None:
            found = found.where(tuple_(*key) < tuple_(after.started_at, after.run_id))
        ordered = found.order_by(*(column.desc() for column in key)).limit(min(size, PAGE))
        rows = (await self.session.execute(ordered)).all()
        sizes = await self._sizes([row.id for row in rows])
        return [Place(row.id, row.started_at, *sizes.get(row.id, ())) for row in rows]

    async def _sizes(self, run_ids: list[int]) -> dict[int, tuple[int, int, bool]]:
        rows = await self.session.execute(SIZES, {"ids": run_ids})
        return {row[0]: (row[1], int(row[2]), bool(row[3])) for row in rows}

    async def read(self, places: Sequence[Place]) -> Chunk:
        """These runs with their steps and revisions: three queries."""
        runs = [run_row(row) for row in await self.session.execute(self._rows(places))]
        parameters = {
            "ids": [run.id for run in runs],
            "told": [place.run_id for place in places if place.tells_all],
            "attributes": list(ATTRIBUTES),
            "run_bytes": RUN_BYTES,
            "max_steps": MAX_SPANS,
            "most_input": MAX_INPUT_CHARACTERS,
        }
        steps = [StepRow(*row) for row in await self.session.execute(STEPS, parameters)]
        revision_ids = sorted({run.revision_id for run in runs if run.revision_id is not None})
        return Chunk(runs, steps, await self.revisions(revision_ids))

    def _rows(self, places: Sequence[Place]) -> Select[Any]:
        body = ExecutionBody
        fits = func.pg_column_size(body.output) <= MAX_OUTPUT_BYTES
        first_line = func.split_part(body.error, "\n", 1)
        columns = (
            Execution.id,
            Execution.agent_revision_id,
            type_coerce(Execution.status, Text),
            func.coalesce(Execution.error_type, func.left(first_line, ERROR_CHARACTERS)),
            Execution.latency_ms,
            Execution.cost,
            Execution.input_tokens,
            Execution.output_tokens,
            case((fits, cast(body.output, Text))),
            body.details["synthetic_times"].astext == "true",
            Execution.started_at,
        )
        same = and_(body.execution_id == Execution.id, body.started_at == Execution.started_at)
        found = self.runs.visible().where(Execution.id.in_([place.run_id for place in places]))
        return found.outerjoin(body, same).with_only_columns(*columns).order_by(Execution.id)

    async def revisions(self, revision_ids: list[int]) -> dict[int, RevisionRow]:
        """By their ids: number, and of the snapshot what an analysis needs."""
        snapshot = AgentRevision.snapshot.op("-")(text("ARRAY['system_prompt', 'config']"))
        statement = select(AgentRevision.id, AgentRevision.number, cast(snapshot, Text))
        rows = await self.session.execute(statement.where(AgentRevision.id.in_(revision_ids)))
        return {row[0]: RevisionRow(row[1], row[2]) for row in rows}


def run_row(row: Row[*tuple[Any, ...]]) -> RunRow:
    """From the columns of ``_rows``, in their order."""
    started_us = (row.started_at - EPOCH) // timedelta(microseconds=1)
    return RunRow._make([*row[:-2], bool(row[-2]), started_us])


def grouped(places: Sequence[Place]) -> Iterator[list[Place]]:
    """Chunks that fit into memory; a run that is larger than a chunk is one by itself."""
    group: list[Place] = []
    for place in places:
        if group and not fits_beside(place, group):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def fits_beside(place: Place, group: Sequence[Place]) -> bool:
    return (
        len(group) < CHUNK_RUNS
        and sum(other.weight for other in group) + place.weight <= CHUNK_BYTES
        and sum(other.steps for other in group) + place.steps <= CHUNK_STEPS
    )
