"""What was moved to the trash, and bringing it back."""

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.api.deps import SessionDep
from app.api.frame import restore_href
from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import BulkResource
from app.pages import listing
from app.pages.bulk_view import Selection, selection_of
from app.pages.deps import StaffDep, requires
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT, PageQuery
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.model_prices import ModelPriceService
from app.services.saved_views import SavedViewService
from app.services.tools import ToolService
from app.services.users import UserService
from app.services.webhook_endpoints import WebhookEndpointService

router = APIRouter(prefix="/trash", dependencies=[requires(Permission.BACK_OFFICE)])
Resource = Literal[
    "agents", "tools", "executions", "model_prices", "users", "webhook_endpoints", "saved_views"
]
# The others come back through doors of their own.
Restorable = Literal["agents", "tools", "executions"]
SERVICES: dict[str, Any] = {  # services of different models
    "agents": AgentService,
    "tools": ToolService,
    "executions": ExecutionService,
    "model_prices": ModelPriceService,
    "users": UserService,
    "webhook_endpoints": WebhookEndpointService,
    "saved_views": SavedViewService,
}
TABS = [
    ("agents", lazy("Agents")),
    ("tools", lazy("Tools")),
    ("executions", lazy("Executions")),
    ("model_prices", lazy("Model prices")),
    ("users", lazy("Users")),
    ("webhook_endpoints", lazy("Webhooks")),
    ("saved_views", lazy("Views")),
]
PAGE_SIZE = 50


@router.get("")
async def show_trash(
    request: Request, staff: StaffDep, session: SessionDep, resource: Resource = "agents"
) -> Response:
    service = SERVICES[resource](session, staff.actor)
    cursor = request.query_params.get("cursor", "")[:500] or None
    rows = await service.list_slice(PageQuery(), cursor, PAGE_SIZE, trashed=True)
    context = {
        "resource": resource,
        "tabs": [tab for tab in TABS if staff.actor.may(SERVICES[tab[0]].readable)],
        "rows": rows.items,
        "links": listing.pager_links(request, rows),
        "restore_href": restore_href,
        "may_restore": staff.actor.may(service.deletable),
        "selection": picks_of(staff.actor, resource),
    }
    return render(request, "pages/trash/list.html", context)


def picks_of(actor: Actor, resource: str) -> Selection | None:
    """What may be done with ticked rows, where these rows come back many at once."""
    if resource not in get_args(Restorable):
        return None
    return selection_of(actor, BulkResource(resource), trashed=True)


@router.post("/{resource}/{row_id}/restore")
async def restore(
    request: Request,
    staff: StaffDep,
    session: SessionDep,
    resource: Restorable,
    row_id: Annotated[int, Path(ge=1, le=MAX_BIGINT)],
) -> Response:
    await SERVICES[resource](session, staff.actor).restore(row_id)
    return redirect(request, f"/{resource}/{row_id}", "restored")
