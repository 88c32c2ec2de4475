"""The audit log on a page."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.actor import Via
from app.core.permissions import Permission
from app.pages import listing
from app.pages.audit_view import NOUNS, VERBS, describe
from app.pages.deps import AuditEventServiceDep, requires
from app.pages.render import render
from app.schemas.audit_events import AuditQuery

router = APIRouter(prefix="/audit")
READ = [requires(Permission.AUDIT_READ)]
ACTIONS = sorted(VERBS)


@router.get("", dependencies=READ)
async def list_events(request: Request, audit: AuditEventServiceDep) -> Response:
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
    }
    return render(request, "pages/audit/list.html", context)
