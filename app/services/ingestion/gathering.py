"""The words that runs from OpenTelemetry are found by, gathered a moment after they arrive.

Making them costs more than storing the spans, so it is not what a runtime waits for.
"""

from typing import Any

from sqlalchemy import Row, Text, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import ExecutionBody
from app.models.base import table_of
from app.services.traces import search_text

RUNS_AT_ONCE = 100
SPANS_OF_RUN = 200
BODY = table_of(ExecutionBody)
SPOKEN = text("""
SELECT b.output, b.input FROM spans s
JOIN span_bodies b USING (trace_id, span_id, started_at)
WHERE s.execution_id = :run AND s.started_at >= :begins
  AND num_nonnulls(b.output, b.input) > 0
ORDER BY s.start_ns, s.span_id LIMIT :limit
""").columns(output=BODY.c.output.type, input=BODY.c.input.type)
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
        asked = {"run": row.execution_id, "begins": row.started_at, "limit": SPANS_OF_RUN}
        spoken = (await self.session.execute(SPOKEN, asked)).all()
        values = [value for span in spoken for value in span]
        return search_text([row.input, row.output, row.error, *values])
