"""The audit log on a page, and as a file."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from app.api.deps import SettingsDep
from app.core.permissions import Permission
from app.models import ListName
from app.pages import listing
from app.pages.audit_export import FORMATS, MAX_EVENTS, lines
from app.pages.audit_list import COLUMNS, FILTERS
from app.pages.audit_view import describe
from app.pages.cookies import keep_renewed_session
from app.pages.deps import AuditEventServiceDep, recently_authenticated, requires
from app.pages.list_state import ListState, state_of
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.audit_events import AuditPageQuery
from app.services.audit_seals import AuditSealService

router = APIRouter(prefix="/audit")
READ = [requires(Permission.AUDIT_READ)]
EXPORT = [*READ, recently_authenticated]


@router.get("", dependencies=READ)
async def list_events(
    request: Request,
    audit: AuditEventServiceDep,
    settings: SettingsDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    state, views = await opened(request, audit, ListName.AUDIT_EVENTS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(AuditPageQuery, cursor=cursor)
    rows = await audit.list_slice(query, state.sort or None)
    names = await audit.actor_names(rows.items)
    context = {
        "lines": [describe(event, names) for event in rows.items],
        "exports": [(form, export_href(state, form)) for form in FORMATS],
        "max_events": MAX_EVENTS,
        "batches_href": state.href(batches="shown") if query.hides_batches else None,
        "seals": await AuditSealService(audit.session, settings).state(),
        **framed(request, (state, views), rows, query, Offered(COLUMNS, FILTERS)),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/audit/{name}", context)


def export_href(state: ListState, form: str) -> str:
    return listing.href(f"/audit/export/{form}", state.filters)


@router.post("/export/{form}", dependencies=EXPORT)
async def export_events(
    request: Request, form: Literal["csv", "jsonl"], audit: AuditEventServiceDep
) -> Response:
    """What is on record about the export holds even if the reader breaks off."""
    query = state_of(request, ListName.AUDIT_EVENTS).query(AuditPageQuery)
    audit.record_export(form, query)
    name = f"audit-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.{form}"
    response = StreamingResponse(
        lines(request.app.state.database, audit.actor, query, form),
        media_type=FORMATS[form][0],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
    keep_renewed_session(request, response)
    return response
