"""The audit log as a file: streamed, bounded, and itself on record."""

from collections.abc import AsyncIterator, Callable, Mapping

from app.core.actor import Actor
from app.core.csv import csv_line, formula_safe
from app.core.database import Database
from app.models import AuditEvent
from app.schemas.audit_events import AuditEventRead, AuditFilters
from app.services.audit_events import AuditEventService

MAX_EVENTS = 100_000
FIELDS = list(AuditEventRead.model_fields)


def as_csv(event: AuditEvent) -> str:
    read = AuditEventRead.model_validate(event).model_dump(mode="json")
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
    """In a unit of work of its own, because it goes on after the request's is committed."""
    if form == "csv":
        yield csv_line(FIELDS)
    _, write = FORMATS[form]
    async with database.unit_of_work() as session:
        async for event in AuditEventService(session, actor).stream(query, MAX_EVENTS):
            yield write(event)
