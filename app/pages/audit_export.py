"""The audit log as a file: streamed, bounded, and itself on record."""

import json
from collections.abc import AsyncIterator, Callable, Mapping

from app.core.actor import Actor
from app.core.csv import csv_line, formula_safe
from app.core.database import Database
from app.core.texts import lazy
from app.core.wording import number
from app.models import AuditEvent
from app.schemas.audit_events import AuditEventRead, AuditFilters
from app.services.audit_events import AuditEventService

MAX_EVENTS, READ_AT_ONCE = 100_000, 500
CUT_OFF = lazy(
    "Only the newest %(max_events)s events are here. Narrow the filter for the others.",
    max_events=number(MAX_EVENTS),
)
FIELDS = list(AuditEventRead.model_fields)


def as_csv(event: AuditEvent) -> str:
    read = AuditEventRead.model_validate(event).model_dump(mode="json")
    read["changes"] = json.dumps(read["changes"], ensure_ascii=False)
    return csv_line(["" if v is None else formula_safe(str(v)) for v in read.values()])


def as_json_line(event: AuditEvent) -> str:
    return AuditEventRead.model_validate(event).model_dump_json() + "\n"


FORMATS: Mapping[str, tuple[str, Callable[[AuditEvent], str]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/x-ndjson", as_json_line),
}


async def lines(
    database: Database, actor: Actor, query: AuditFilters, form: str
) -> AsyncIterator[str]:
    """In short units of work of its own: a slow reader holds no transaction open."""
    if form == "csv":
        yield csv_line(FIELDS)
    _, write = FORMATS[form]
    cursor, left = None, MAX_EVENTS
    while left:
        async with database.unit_of_work() as session:
            audit = AuditEventService(session, actor)
            found = await audit.read(query, cursor, min(READ_AT_ONCE, left))
        yield "".join(write(event) for event in found.items)
        cursor, left = found.next_cursor, left - len(found.items)
        if cursor is None:
            return
    yield csv_line([CUT_OFF]) if form == "csv" else json.dumps({"cut_off": CUT_OFF}) + "\n"
