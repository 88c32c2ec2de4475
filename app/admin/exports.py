"""CSV of a list as it is filtered: streamed, bounded, recorded, safe to open in a spreadsheet."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.admin.auth import actor_of, database_of
from app.admin.base import ServiceView
from app.admin.cells import EMPTY, cell_of
from app.admin.listing import ListQuery, matching
from app.core.actor import Actor
from app.core.csv import csv_line, formula_safe
from app.core.database import Database
from app.core.texts import lazy
from app.core.wording import number
from app.services.audit_events import AuditEventService

MAX_ROWS, FETCHED_AT_ONCE = 10_000, 500
CUT_OFF = lazy(
    "Only the first %(max_rows)s rows are here. Narrow the filter for the others.",
    max_rows=number(MAX_ROWS),
)


def guarded(value: Any) -> str:  # a value of any column
    """As text; what people wrote cannot be a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = cell_of(value).text
    if isinstance(value, str | list | dict):
        text = "" if text == EMPTY else text
        return formula_safe(text)
    return text


def statement_for(view: ServiceView, statement: Select[Any], query: ListQuery) -> Select[Any]:
    columns = [getattr(view.model, name) for name in view.columns]
    ordered = view.order(query.sort).apply(statement.with_only_columns(*columns))
    # One more than allowed tells whether the rest was cut off.
    return ordered.limit(MAX_ROWS + 1).execution_options(yield_per=FETCHED_AT_ONCE)


async def csv_lines(
    view: ServiceView, database: Database, actor: Actor, query: ListQuery
) -> AsyncIterator[str]:
    """Read through a server-side cursor, so that memory does not grow with the table."""
    yield csv_line(list(view.columns))
    async with database.unit_of_work() as session:
        statement = statement_for(view, matching(view, session, actor, query), query)
        written = 0
        async for row in await session.stream(statement):
            if written == MAX_ROWS:
                yield csv_line([CUT_OFF])
                break
            written += 1
            yield csv_line([guarded(value) for value in row])


async def export_csv(view: ServiceView, request: Request) -> Response:
    """Record the export, then stream it: what left is known even if the reader breaks off."""
    actor, database = actor_of(request), database_of(request)
    query = ListQuery.read(view, request.query_params)
    async with database.unit_of_work() as session:
        matching(view, session, actor, query)  # refuse a bad filter while an answer is possible
        asked = query.url(view).partition("?")[2]
        changes = {"format": [None, "csv"], "filter": [None, asked or None]}
        AuditEventService(session, actor).record("export", view.identity, None, changes)
    name = f"{view.identity}-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.csv"
    return StreamingResponse(
        csv_lines(view, database, actor, query),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
