"""What a database holds of some traces, to compare: without ids and moments of storing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.spans import SpanKind
from app.services.ingestion.stored_words import words_of

RUNS = text("""
SELECT encode(e.trace_id, 'hex') AS trace, a.name AS agent, e.status, e.started_at, e.ended_at,
       e.latency_ms, e.session_id, e.model_name, e.preview, e.error_type, e.tags, e.span_count,
       e.error_count, e.input_tokens, e.output_tokens, e.cached_tokens, e.cache_write_tokens,
       e.reasoning_tokens, e.cost, e.cost_source, b.started_at AS body_at, b.input, b.output,
       b.error, b.details, c.claims
FROM executions e JOIN agents a ON a.id = e.agent_id
LEFT JOIN execution_bodies b ON b.execution_id = e.id
LEFT JOIN trace_claims c ON c.execution_id = e.id
WHERE e.trace_id = ANY (:traces) ORDER BY e.trace_id
""")
SPANS = text("""
SELECT to_jsonb(s) - 'execution_id' AS span, to_jsonb(b) - 'origin_id' AS body,
       o.resource, o.scope_name
FROM spans s JOIN span_bodies b USING (trace_id, span_id, started_at)
LEFT JOIN span_origins o ON o.id = b.origin_id
WHERE s.trace_id = ANY (:traces) ORDER BY s.trace_id, s.start_ns, s.span_id
""")


def with_words(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the step was given and gave, as whoever looks at it sees it."""
    assert body["input"] is None
    assert body["output"] is None
    spoken = words_of(SpanKind(kind), body["attributes"], body["events"])
    return body | {"input": spoken.input, "output": spoken.output}


async def state_of(session: AsyncSession, traces: Sequence[bytes]) -> list[list[Any]]:
    """Of each trace its run, and of each span its row and body."""
    found = []
    for statement in (RUNS, SPANS):
        rows = await session.execute(statement, {"traces": list(traces)})
        found.append([dict(row) for row in rows.mappings()])
    for row in (row for row in found[1] if row["resource"] is not None):  # by OpenTelemetry
        row["body"] = with_words(row["body"], row["span"]["kind"])
    return found
