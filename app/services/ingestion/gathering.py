"""The words that runs from OpenTelemetry are found by, gathered a moment after they arrive.

Making them costs more than storing the spans, so it is not what a runtime waits for.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Text, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import ExecutionBody
from app.models.base import table_of
from app.models.spans import SpanKind
from app.services.ingestion.stored_words import words_of
from app.services.traces import search_text

RUNS_AT_ONCE = 100
# So many spans that say something are heard, among so many times as many that may say nothing.
SPANS_OF_RUN, PAGES_OF_RUN = 200, 5
BODY = table_of(ExecutionBody)
SPOKEN = text("""
SELECT s.kind, b.output, b.input, b.attributes, b.events, s.start_ns, s.span_id FROM spans s
JOIN span_bodies b USING (trace_id, span_id, started_at)
WHERE s.execution_id = :run AND s.started_at >= :begins
  AND (s.start_ns, s.span_id) > (:start_ns, CAST(:span AS bytea))
  AND (b.origin_id IS NOT NULL OR num_nonnulls(b.output, b.input) > 0)
ORDER BY s.start_ns, s.span_id LIMIT :limit
""").columns(**dict.fromkeys(("output", "input", "attributes", "events"), BODY.c.output.type))
KEEP = (
    update(BODY)
    .where(
        BODY.c.execution_id == bindparam("run"),
        BODY.c.started_at == bindparam("begins"),
    )
    .values(search=func.to_tsvector("simple", bindparam("words", type_=Text)))
)


class WordService:
    """What arrives meanwhile is gathered in the next round."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def gather(self) -> int:
        """The words of a few runs: of how many."""
        waiting = (
            select(
                BODY.c.execution_id, BODY.c.started_at, BODY.c.input, BODY.c.output, BODY.c.error
            )
            .where(BODY.c.search.is_(None))
            .order_by(BODY.c.execution_id)
            .limit(RUNS_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        connection = await self.session.connection()
        rows = (await connection.execute(waiting)).all()
        for row in rows:
            words = {"run": row.execution_id, "begins": row.started_at}
            await connection.execute(KEEP, words | {"words": await self._words(row)})
        return len(rows)

    async def _words(self, row: Row[Any, Any, Any, Any, Any]) -> str:
        values = await self._spoken(row)
        return await asyncio.to_thread(search_text, [row.input, row.output, row.error, *values])

    async def _spoken(self, row: Row[Any, Any, Any, Any, Any]) -> list[Any]:
        """What its first spans said and were told (JSON values)."""
        asked = {"run": row.execution_id, "begins": row.started_at, "limit": SPANS_OF_RUN}
        found: list[Any] = []
        after: dict[str, Any] = {"start_ns": -1, "span": b""}
        for _ in range(PAGES_OF_RUN):
            spans = (await self.session.execute(SPOKEN, asked | after)).all()
            found += await asyncio.to_thread(said_in, spans)
            if len(spans) < SPANS_OF_RUN or len(found) >= 2 * SPANS_OF_RUN:
                break
            after = {"start_ns": spans[-1].start_ns, "span": spans[-1].span_id}
        return found


def said_in(spans: Sequence[Row[Any, Any, Any, Any, Any, Any, Any]]) -> list[Any]:
    """Of each span that says something its output and its input (JSON values)."""
    found: list[Any] = []
    for span in spans:
        said = (span.output, span.input)
        if said == (None, None):
            spoken = words_of(SpanKind(span.kind), span.attributes, span.events)
            said = (spoken.output, spoken.input)
        if said != (None, None):
            found += said
    return found
