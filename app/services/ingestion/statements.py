"""The statements that store a batch of traces: each takes arrays, so a batch is a few of them.

They go to the driver as they are: SQLAlchemy would send the rows one by one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Driver = Any  # asyncpg is untyped
Row = tuple[Any, ...]  # values of ``ALL``
SPAN_KEY = {"trace_id": "bytea", "span_id": "bytea", "started_at": "timestamptz"}
SPAN_COLUMNS = {
    "parent_span_id": "bytea",
    "kind": "text",
    "name": "text",
    "status": "text",
    "start_ns": "bigint",
    "end_ns": "bigint",
    "model_name": "text",
    "provider_name": "text",
    "tool_name": "text",
    "input_tokens": "bigint",
    "output_tokens": "bigint",
    "cached_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "cost": "numeric",
    "cost_source": "text",
}
BODY_COLUMNS = {
    "attributes": "jsonb",
    "events": "jsonb",
    "wire": "jsonb",
}
HEADER_COLUMNS = {
    "agent_id": "bigint",
    "agent_revision_id": "bigint",
    "status": "text",
    "started_at": "timestamptz",
    "ended_at": "timestamptz",
    "latency_ms": "bigint",
    "session_id": "text",
    "model_name": "text",
    "preview": "text",
    "error_type": "text",
}
TOTALS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def arrays(columns: Mapping[str, str], first: int = 1) -> str:
    """``$1::type[], …`` for ``unnest``."""
    return ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), first))


def names(columns: Mapping[str, str], table: str = "") -> str:
    return ", ".join(f"{table}.{name}" if table else name for name in columns)


def taken(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in columns)


ROW = SPAN_KEY | {"execution_id": "bigint"} | SPAN_COLUMNS
BODY = BODY_COLUMNS | {"origin_id": "bigint"}
ALL = ROW | BODY
# Of a span that is there already, what is from before its end changes nothing: neither its row
# nor, as it is then not among ``stored``, its body. What was said is among its attributes and
# events: an ``input`` or ``output`` that another report has stored would be out of date.
STORE_SPANS = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest({arrays(ALL)}) AS given ({names(ALL)})
), stored AS (
    INSERT INTO spans ({names(ROW)})
    SELECT {names(ROW)} FROM given
    ON CONFLICT (trace_id, span_id, started_at) DO UPDATE SET {taken(SPAN_COLUMNS)}
    WHERE spans.end_ns IS NULL OR excluded.end_ns >= spans.end_ns
    RETURNING trace_id, span_id, started_at
)
INSERT INTO span_bodies ({names(SPAN_KEY | BODY)})
SELECT {names(SPAN_KEY | BODY)} FROM given JOIN stored USING (trace_id, span_id, started_at)
ON CONFLICT (trace_id, span_id, started_at)
DO UPDATE SET {taken(BODY)}, input = NULL, output = NULL
"""  # noqa: S608  (names of ours)

OF_ROW, OF_BODY = len(ROW), len(SPAN_KEY)


async def store_spans(driver: Driver, rows: Sequence[Row]) -> None:
    """Spans of runs that may have them already."""
    if rows:
        await driver.execute(STORE_SPANS, *map(list, zip(*rows, strict=True)))


# What a run that was removed for good has left behind is in the way of one that is sent again.
FORGET_BODIES = """
DELETE FROM span_bodies WHERE trace_id = ANY ($1::bytea[]) AND started_at BETWEEN $2 AND $3
"""


async def copy_spans(driver: Driver, rows: Sequence[Row]) -> None:
    """Spans of runs that have none yet: there is nothing to compare them with."""
    if rows:
        moments = [row[2] for row in rows]
        traces = list({row[0] for row in rows})
        await driver.execute(FORGET_BODIES, traces, min(moments), max(moments))
        spans = [row[:OF_ROW] for row in rows]
        await driver.copy_records_to_table("spans", records=spans, columns=list(ROW))
        bodies = [row[:OF_BODY] + row[OF_ROW:] for row in rows]
        columns = list(SPAN_KEY | BODY)
        await driver.copy_records_to_table("span_bodies", records=bodies, columns=columns)


TOTALS_COLUMNS = {
    **dict.fromkeys(TOTALS, "bigint"),
    "cost": "numeric",
    "cost_source": "text",
    "span_count": "bigint",
    "error_count": "bigint",
}
NEW = {"trace_id": "bytea", "sent_trace_id": "bytea"} | HEADER_COLUMNS | TOTALS_COLUMNS
GIVEN = NEW | {"tags": "text"}
TAGS = "coalesce(string_to_array(nullif({}.tags, ''), E'\\x1f'), '{{}}')"
ADD_EXECUTIONS = f"""
INSERT INTO executions (source, reported_by_user_id, reported_by_key_id, tags, {names(NEW)})
SELECT 'otlp', $1, $2, {TAGS.format("given")}, {names(NEW)}
FROM unnest({arrays(GIVEN, 3)}) AS given ({names(GIVEN)})
ON CONFLICT DO NOTHING
RETURNING id, trace_id
"""  # noqa: S608  (names of ours)

CHANGED = {"id": "bigint"} | HEADER_COLUMNS | {"tags": "text"}
ADDED = {
    **dict.fromkeys(TOTALS, "bigint"),
    "cost": "numeric",
    "is_computed": "boolean",
    "span_count": "bigint",
    "error_count": "bigint",
}
# Of runs with so many steps it is kept which ids are awaited, see ``growing_runs.py``.
LONG_RUN, MAX_AWAITED = 500, 300
MAX_ABOVE = 200  # steps that are looked at beside those that a batch names
HEADER_TAKEN = ", ".join(
    f"{name} = CASE WHEN e.source = 'otlp' THEN h.{name} ELSE e.{name} END"
    for name in HEADER_COLUMNS
)
TAGS_TAKEN = f"tags = CASE WHEN e.source <> 'otlp' THEN e.tags ELSE {TAGS.format('h')} END"
TOTALS_TAKEN = ", ".join(
    f"{name} = CASE WHEN '{name}' = ANY (e.totals_reported) THEN e.{name} ELSE t.{name} END"
    for name in (*TOTALS, "cost")
)
SUMS = ", ".join(f"sum({name}) FILTER (WHERE is_leaf) AS {name}" for name in (*TOTALS, "cost"))
# Totals are sums over the model steps with usage that have none such below them: ``above`` holds
# who is above one. ``leaf_model_steps`` in services/traces.py does the same, for new runs too.
UPDATE_EXECUTIONS = f"""
WITH RECURSIVE h AS MATERIALIZED (
    SELECT * FROM unnest({arrays(CHANGED)}) AS h ({names(CHANGED)})
), step AS MATERIALIZED (
    SELECT s.execution_id, s.span_id, s.parent_span_id, s.status, s.cost_source, s.cost,
           {", ".join(f"s.{name}" for name in TOTALS)},
           s.kind IN ('llm', 'embedding')
               AND num_nonnulls(s.input_tokens, s.output_tokens, s.cost) > 0 AS has_usage
    FROM spans s
    WHERE s.execution_id = ANY ($1)
        AND s.started_at BETWEEN ${len(CHANGED) + 1} AND ${len(CHANGED) + 2}
), above AS (
    SELECT execution_id, parent_span_id AS span_id FROM step
    WHERE has_usage AND parent_span_id IS NOT NULL
    UNION
    SELECT step.execution_id, step.parent_span_id FROM above
    JOIN step USING (execution_id, span_id) WHERE step.parent_span_id IS NOT NULL
), leaf AS (
    SELECT step.*, has_usage AND above.span_id IS NULL AS is_leaf
    FROM step LEFT JOIN above USING (execution_id, span_id)
), t AS (
    SELECT execution_id, count(*) AS span_count,
           count(*) FILTER (WHERE status = 'error') AS error_count, {SUMS},
           bool_or(cost_source = 'computed') FILTER (WHERE is_leaf) AS is_computed
    FROM leaf GROUP BY execution_id
), awaited AS (
    SELECT execution_id, array_agg(span_id) AS ids FROM above
    WHERE NOT EXISTS (
        SELECT FROM step
        WHERE step.execution_id = above.execution_id AND step.span_id = above.span_id
    ) GROUP BY execution_id
)
UPDATE executions e SET
    {HEADER_TAKEN}, {TOTALS_TAKEN}, {TAGS_TAKEN},
    span_count = t.span_count, error_count = t.error_count,
    cost_source = CASE
        WHEN 'cost' = ANY (e.totals_reported) THEN e.cost_source
        WHEN t.cost IS NULL THEN 'unpriced'
        WHEN t.is_computed THEN 'computed' ELSE 'reported' END,
    updated_at = clock_timestamp(), row_version = e.row_version + 1
FROM h JOIN t ON t.execution_id = h.id
WHERE e.id = h.id
RETURNING e.id, e.row_version, CASE WHEN e.source = 'otlp' AND e.span_count >= {LONG_RUN}
    THEN coalesce((SELECT ids FROM awaited WHERE execution_id = e.id), '{{}}') END AS awaited
"""  # noqa: S608  (names of ours)

# OFFSET 0 has each looked up by itself: for many the planner would read all spans of the month.
# No more than $5 are, or each step of a deep run would walk all of it.
STEP_OF_UP = f"""
LATERAL (
    SELECT s.started_at, {names(SPAN_COLUMNS, "s")} FROM spans s
    WHERE s.trace_id = up.trace_id AND s.span_id = up.span_id AND s.started_at BETWEEN $3 AND $4
    OFFSET 0
) s
"""  # noqa: S608  (names of ours)
STEPS_ABOVE = f"""
WITH RECURSIVE up AS (
    SELECT * FROM unnest($1::bytea[], $2::bytea[]) AS given (trace_id, span_id)
    UNION
    SELECT up.trace_id, s.parent_span_id FROM up, {STEP_OF_UP}
    WHERE s.parent_span_id IS NOT NULL
)
SELECT up.trace_id, s.started_at, up.span_id, {names(SPAN_COLUMNS, "s")}
FROM (SELECT * FROM up LIMIT $5) up LEFT JOIN {STEP_OF_UP} ON true
"""  # noqa: S608  (names of ours)
GROWN = CHANGED | ADDED
TOTALS_GROWN = ", ".join(
    f"{name} = CASE WHEN '{name}' = ANY (e.totals_reported) THEN e.{name}"
    f" ELSE coalesce(e.{name} + h.{name}, e.{name}, h.{name}) END"
    for name in (*TOTALS, "cost")
)
GROW_EXECUTIONS = f"""
UPDATE executions e SET
    {HEADER_TAKEN}, {TOTALS_GROWN}, {TAGS_TAKEN},
    span_count = e.span_count + h.span_count, error_count = e.error_count + h.error_count,
    cost_source = CASE
        WHEN 'cost' = ANY (e.totals_reported) THEN e.cost_source
        WHEN h.is_computed THEN 'computed'
        WHEN e.cost IS NULL AND h.cost IS NOT NULL THEN 'reported' ELSE e.cost_source END,
    updated_at = clock_timestamp(), row_version = e.row_version + 1
FROM unnest({arrays(GROWN)}) AS h ({names(GROWN)})
WHERE e.id = h.id
"""  # noqa: S608  (names of ours)

KEEP_CLAIMS = """
INSERT INTO trace_claims (execution_id, claims) SELECT * FROM unnest($1::bigint[], $2::jsonb[])
ON CONFLICT (execution_id) DO UPDATE SET claims = excluded.claims
"""

# A run that turns out to have begun earlier takes its body along, if need be to another partition.
MOVE_BODIES = """
UPDATE execution_bodies b SET started_at = moved.begins
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS moved (id, was, begins)
WHERE b.execution_id = moved.id AND b.started_at = moved.was
"""
EXECUTION_BODY = {
    "execution_id": "bigint",
    "started_at": "timestamptz",
    "has_input": "boolean",
    "input": "jsonb",
    "has_output": "boolean",
    "output": "jsonb",
    "error": "text",
    "details": "jsonb",
}
STORE_BODIES = f"""
WITH given AS (SELECT * FROM unnest({arrays(EXECUTION_BODY)}) AS given ({names(EXECUTION_BODY)})),
kept AS (
    UPDATE execution_bodies b SET
        input = CASE WHEN has_input THEN given.input ELSE b.input END,
        output = CASE WHEN has_output THEN given.output ELSE b.output END,
        error = given.error, details = given.details, search = NULL
    FROM given WHERE b.execution_id = given.execution_id AND b.started_at = given.started_at
    RETURNING b.execution_id
)
INSERT INTO execution_bodies (execution_id, started_at, input, output, error, details)
SELECT execution_id, started_at, input, output, error, details FROM given
WHERE execution_id NOT IN (SELECT execution_id FROM kept)
"""  # noqa: S608  (names of ours)

# More was said by inner spans alone: the words of the run are to be gathered anew.
FORGET_WORDS = """
UPDATE execution_bodies b SET search = NULL
FROM unnest($1::bigint[], $2::timestamptz[]) AS told (id, begins)
WHERE b.execution_id = told.id AND b.started_at = told.begins AND b.search IS NOT NULL
"""

ORIGIN = {
    "sha256": "bytea",
    "resource": "jsonb",
    "scope_name": "text",
    "scope_version": "text",
    "schema_url": "text",
    "used_until": "date",
}
ADD_ORIGINS = f"""
INSERT INTO span_origins ({names(ORIGIN)}) SELECT {names(ORIGIN)}
FROM unnest({arrays(ORIGIN)}) AS given ({names(ORIGIN)})
ON CONFLICT (sha256) DO UPDATE SET used_until = excluded.used_until
WHERE span_origins.used_until < excluded.used_until
"""  # noqa: S608  (names of ours)
FIND_ORIGINS = "SELECT sha256, id, used_until FROM span_origins WHERE sha256 = ANY ($1::bytea[])"
