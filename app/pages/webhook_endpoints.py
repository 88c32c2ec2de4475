"""Webhook endpoints on pages: made, tried out, switched off, and what was sent to them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import AppError
from app.models import ListName, WebhookEndpoint, WebhookEvent
from app.pages import forms, listing
from app.pages.deps import (
    WebhookDeliveryServiceDep,
    WebhookEndpointServiceDep,
    recently_authenticated,
    requires,
)
from app.pages.filter_bar import bar_of
from app.pages.list_state import list_context, state_within
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.pages.webhook_list import COLUMNS, DELIVERY_FILTERS, FILTERS
from app.schemas.base import MAX_BIGINT
from app.schemas.lists import DELIVERIES
from app.schemas.webhook_deliveries import WebhookDeliveryQuery
from app.schemas.webhook_endpoints import (
    WebhookEndpointCreate,
    WebhookEndpointQuery,
    WebhookEndpointUpdate,
)
from app.services.webhook_deliveries import WebhookDeliveryService
from app.services.webhook_endpoints import Issued, WebhookEndpointService
from app.services.webhook_events import DESCRIPTIONS

router = APIRouter(prefix="/webhooks")
WebhookId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
DeliveryId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
Cursor = Annotated[str | None, Query(max_length=500)]
READ = [requires(Permission.WEBHOOKS_READ)]
RUN = [requires(Permission.WEBHOOKS_RUN)]
MANAGE = [requires(Permission.WEBHOOKS_MANAGE), recently_authenticated]
PAGE_SIZE = 50
BY_HAND = "Switched off by hand."
EVENTS = [(event.value, event.value, DESCRIPTIONS[event]) for event in WebhookEvent]
EMPTY = {"url": "", "description": "", "events": []}
OVERLAPS = [
    ("0", lazy("No time: it stops at once")),
    ("1", lazy("1 hour")),
    ("24", lazy("1 day")),
    ("168", lazy("1 week")),
]


def rights(endpoints: WebhookEndpointService) -> dict[str, bool]:
    return {
        "may_run": endpoints.actor.may(Permission.WEBHOOKS_RUN),
        "may_manage": endpoints.actor.may(Permission.WEBHOOKS_MANAGE),
    }


@router.get("", dependencies=READ)
async def list_webhooks(
    request: Request,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
    cursor: Cursor = None,
) -> Response:
    state, views = await opened(request, endpoints, ListName.WEBHOOK_ENDPOINTS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(WebhookEndpointQuery, sort=state.sort or None)
    rows = await endpoints.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "endpoints": rows.items,
        "latest": await deliveries.latest([row.id for row in rows.items]),
        **framed(request, (state, views), rows, query, Offered(COLUMNS, FILTERS)),
        **rights(endpoints),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/webhooks/{name}", context)


def form_page(
    request: Request, form: forms.Form, endpoint: WebhookEndpoint | None, status: int = 200
) -> Response:
    # A post that left fields out shows them empty.
    form.values = EMPTY | form.values
    context = {"form": form, "endpoint": endpoint, "events": EVENTS}
    return render(request, "pages/webhooks/form.html", context, status)


def secret_page(request: Request, issued: Issued, *, is_new: bool) -> Response:
    """Not redirected, because nothing may keep the secret."""
    context = {"endpoint": issued.endpoint, "secret": issued.secret, "is_new": is_new}
    headers = {"Cache-Control": "no-store"}
    return render(request, "pages/webhooks/secret.html", context, 201, headers)


@router.get("/new", dependencies=MANAGE)
async def new_webhook(request: Request) -> Response:
    return form_page(request, forms.Form(dict(EMPTY)), None)


@router.post("/new", dependencies=MANAGE)
async def create_webhook(request: Request, endpoints: WebhookEndpointServiceDep) -> Response:
    values = forms.typed(await request.form(), lists=("events",))
    data, form = forms.parse(WebhookEndpointCreate, values)
    if data is not None:
        try:
            async with endpoints.session.begin_nested():
                issued = await endpoints.register(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return secret_page(request, issued, is_new=True)
    return form_page(request, form, None, 422)


@router.get("/{webhook_id}", dependencies=READ)
async def show_webhook(
    request: Request,
    webhook_id: WebhookId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> Response:
    endpoint = await endpoints.get(webhook_id)
    context = await detail_context(request, endpoint, deliveries) | rights(endpoints)
    name = "_deliveries.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/webhooks/{name}", context)


async def detail_context(
    request: Request, endpoint: WebhookEndpoint, deliveries: WebhookDeliveryService
) -> dict[str, Any]:
    state = state_within(request, DELIVERIES)
    cursor = request.query_params.get("cursor", "")[:500] or None
    query = state.query(WebhookDeliveryQuery, cursor=cursor, limit=PAGE_SIZE)
    rows = await deliveries.list_slice(endpoint, query)
    now = datetime.now(UTC)
    return {
        "endpoint": endpoint,
        "deliveries": rows.items,
        "here": listing.here(request),
        **list_context(request, state, rows, query),
        "bar": bar_of(state, DELIVERY_FILTERS),
        "overlaps": OVERLAPS,
        "signs_twice": bool(endpoint.old_secret_until and endpoint.old_secret_until > now),
        "reads_audit": deliveries.actor.may(Permission.AUDIT_READ),
    }


@router.get("/{webhook_id}/edit", dependencies=MANAGE)
async def edit_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    endpoint = await endpoints.get(webhook_id)
    values = forms.shown(endpoint, WebhookEndpointUpdate) | {
        "events": endpoint.events,
        "row_version": endpoint.row_version,
    }
    return form_page(request, forms.Form(values), endpoint)


@router.post("/{webhook_id}/edit", dependencies=MANAGE)
async def update_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    values = forms.typed(await request.form(), lists=("events",))
    version = forms.version_in(values)
    data, form = forms.parse(WebhookEndpointUpdate, values)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with endpoints.session.begin_nested():
                saved = await endpoints.update(webhook_id, data, version)
        except AppError as error:
            forms.refuse(form, error)
        else:
            notice = "unchanged" if saved.row_version == version else "saved"
            return redirect(request, f"/webhooks/{webhook_id}", notice)
    return form_page(request, form, await endpoints.get(webhook_id), 422)


@router.post("/{webhook_id}/rotate", dependencies=MANAGE)
async def rotate_webhook(
    request: Request,
    webhook_id: WebhookId,
    endpoints: WebhookEndpointServiceDep,
    overlap_hours: Annotated[int, Form(ge=0, le=168)] = 24,
) -> Response:
    issued = await endpoints.rotate(webhook_id, timedelta(hours=overlap_hours))
    return secret_page(request, issued, is_new=False)


@router.post("/{webhook_id}/disable", dependencies=MANAGE)
async def disable_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    await endpoints.disable(webhook_id, BY_HAND)
    return redirect(request, f"/webhooks/{webhook_id}", "saved")


@router.post("/{webhook_id}/enable", dependencies=MANAGE)
async def enable_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    await endpoints.enable(webhook_id)
    return redirect(request, f"/webhooks/{webhook_id}", "saved")


@router.post("/{webhook_id}/delete", dependencies=MANAGE)
async def delete_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    await endpoints.delete(webhook_id)
    return redirect(request, "/webhooks", "trashed", f"webhook_endpoints:{webhook_id}")


@router.post("/{webhook_id}/restore", dependencies=MANAGE)
async def restore_webhook(
    request: Request, webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> Response:
    await endpoints.restore(webhook_id)
    return redirect(request, f"/webhooks/{webhook_id}", "restored")


@router.post("/{webhook_id}/test", dependencies=RUN)
async def test_webhook(
    request: Request,
    webhook_id: WebhookId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> Response:
    sent = await deliveries.send_test(await endpoints.get(webhook_id))
    return redirect(request, f"/webhooks/{webhook_id}/deliveries/{sent.id}", "on_its_way")


@router.get("/{webhook_id}/deliveries/{delivery_id}", dependencies=READ)
async def show_delivery(
    request: Request,
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> Response:
    endpoint = await endpoints.get(webhook_id)
    delivery = await deliveries.get(endpoint, delivery_id)
    context = {
        "endpoint": endpoint,
        "delivery": delivery,
        **rights(endpoints),
    }
    name = "_state.html" if wants_fragment(request) else "delivery.html"
    return render(request, f"pages/webhooks/{name}", context)


@router.post("/{webhook_id}/deliveries/{delivery_id}/redeliver", dependencies=RUN)
async def redeliver(
    request: Request,
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> Response:
    await deliveries.redeliver(await endpoints.get(webhook_id), delivery_id)
    return redirect(request, f"/webhooks/{webhook_id}/deliveries/{delivery_id}", "on_its_way")
