"""The audit log on a page, and as a file."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from app.api.deps import SettingsDep
from app.core.actor import Via
from app.core.permissions import Permission
from app.core.texts import lazy
from app.pages import listing
from app.pages.audit_export import FORMATS, MAX_EVENTS, lines
from app.pages.audit_view import NOUNS, VERBS, describe
from app.pages.cookies import keep_renewed_session
from app.pages.deps import AuditEventServiceDep, recently_authenticated, requires
from app.pages.render import render
from app.schemas.audit_events import AuditFilters, AuditQuery
from app.services.audit_seals import AuditSealService

router = APIRouter(prefix="/audit")
READ = [requires(Permission.AUDIT_READ)]
EXPORT = [*READ, recently_authenticated]
ACTIONS = sorted(VERBS)
# Filters that come from links in the rows, and how a chip names them.
CHIPS = {
    "resource_id": lazy("Row"),
    "actor_user_id": lazy("Person"),
    "actor_api_key_id": lazy("Key"),
    "request_id": lazy("Request"),
    "ip": lazy("Address"),
}


@router.get("", dependencies=READ)
async def list_events(
    request: Request, audit: AuditEventServiceDep, settings: SettingsDep
) -> Response:
    query = listing.query_of(request, AuditQuery)
    rows = await audit.list_slice(query)
    names = await audit.actor_names(rows.items)
    context = {
        "query": query,
        "lines": [describe(event, names) for event in rows.items],
        "links": listing.pager_links(request, rows),
        "actions": [(action, action.replace("_", " ")) for action in ACTIONS],
        "resources": [(resource, noun.capitalize()) for resource, noun in NOUNS.items()],
        "vias": [(via.value, via.value) for via in Via],
        "chips": chips(request, query),
        "kept": [(name, str(getattr(query, name))) for name in CHIPS if getattr(query, name)],
        "exports": [
            (form, listing.href(f"/audit/export/{form}", filters(request))) for form in FORMATS
        ],
        "max_events": MAX_EVENTS,
        "seals": await AuditSealService(audit.session, settings).state(),
    }
    return render(request, "pages/audit/list.html", context)


def filters(request: Request) -> dict[str, Any]:
    known = listing.accepted_names(AuditFilters)
    return {k: v for k, v in listing.current_params(request).items() if k in known}


def chips(request: Request, query: AuditQuery) -> list[tuple[str, str]]:
    """``(what the list is narrowed to, the list without it)``."""
    return [
        (f"{label} {getattr(query, name)}", listing.without(request, name))
        for name, label in CHIPS.items()
        if getattr(query, name) is not None
    ]


@router.post("/export/{form}", dependencies=EXPORT)
async def export_events(
    request: Request, form: Literal["csv", "jsonl"], audit: AuditEventServiceDep
) -> Response:
    """What is on record about the export holds even if the reader breaks off."""
    query = listing.query_of(request, AuditFilters)
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
