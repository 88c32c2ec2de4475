"""Webhook endpoints over JSON, and the messages sent to them; for people, never for keys."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import (
    IfMatchDep,
    WebhookDeliveryServiceDep,
    WebhookEndpointServiceDep,
    etag,
    recently_authenticated,
    requires,
)
from app.api.idempotency import OnceDep
from app.api.openapi import created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS, page_of
from app.core.permissions import Permission
from app.models import WebhookDelivery, WebhookEndpoint
from app.schemas.base import MAX_BIGINT, CursorPage, Page
from app.schemas.webhook_deliveries import (
    WebhookDeliveryDetail,
    WebhookDeliveryQuery,
    WebhookDeliveryRead,
)
from app.schemas.webhook_endpoints import (
    WebhookEndpointCreate,
    WebhookEndpointCreated,
    WebhookEndpointQuery,
    WebhookEndpointRead,
    WebhookEndpointRotate,
    WebhookEndpointUpdate,
)
from app.services.webhook_endpoints import Issued

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=StrictRoute)
WebhookId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The endpoint's id.")]
DeliveryId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The message's id.")]

READ = [requires(Permission.WEBHOOKS_READ)]
RUN = [requires(Permission.WEBHOOKS_RUN)]
# Where messages go is sensitive: whoever changes it sees what happens here.
MANAGE = [requires(Permission.WEBHOOKS_MANAGE), recently_authenticated]


def shown_once(issued: Issued, response: Response) -> WebhookEndpointCreated:
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = etag(issued.endpoint.row_version)
    read = WebhookEndpointRead.model_validate(issued.endpoint).model_dump()
    return WebhookEndpointCreated(**read, secret=issued.secret)


@router.post(
    "",
    status_code=201,
    response_model=WebhookEndpointCreated,
    dependencies=MANAGE,
    responses={**created(WebhookEndpointCreated), **CREATE_ERRORS},
)
async def create_webhook(
    data: WebhookEndpointCreate,
    endpoints: WebhookEndpointServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> WebhookEndpointCreated:
    """Tell an address what happens from now on. This answer alone holds the signing secret."""
    issued = await endpoints.register(data)
    response.headers["Location"] = f"{request.url.path}/{issued.endpoint.id}"
    return await once.keep(shown_once(issued, response), response, 201, shown_once="secret")


@router.get("", response_model=Page[WebhookEndpointRead], dependencies=READ, responses=LIST_ERRORS)
async def list_webhooks(
    query: Annotated[WebhookEndpointQuery, Query()], endpoints: WebhookEndpointServiceDep
) -> Any:
    """Every endpoint, the newest first, without secrets."""
    return page_of(await endpoints.list_page(query), query)


@router.get(
    "/{webhook_id}",
    response_model=WebhookEndpointRead,
    dependencies=READ,
    responses=READ_ERRORS,
)
async def get_webhook(
    webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep, response: Response
) -> WebhookEndpoint:
    """One endpoint, without its secret."""
    endpoint = await endpoints.get(webhook_id)
    response.headers["ETag"] = etag(endpoint.row_version)
    return endpoint


@router.patch(
    "/{webhook_id}",
    response_model=WebhookEndpointRead,
    dependencies=MANAGE,
    responses=CHANGE_ERRORS,
)
async def update_webhook(
    webhook_id: WebhookId,
    data: WebhookEndpointUpdate,
    endpoints: WebhookEndpointServiceDep,
    version: IfMatchDep,
    response: Response,
) -> WebhookEndpoint:
    """Change address, events or description, or switch it off and on."""
    endpoint = await endpoints.update(webhook_id, data, version)
    response.headers["ETag"] = etag(endpoint.row_version)
    return endpoint


@router.delete("/{webhook_id}", status_code=204, dependencies=MANAGE, responses=CHANGE_ERRORS)
async def delete_webhook(
    webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep, version: IfMatchDep
) -> None:
    """Move to the trash: nothing is sent any more; restore brings it back."""
    await endpoints.delete(webhook_id, version)


@router.post(
    "/{webhook_id}/restore",
    response_model=WebhookEndpointRead,
    dependencies=MANAGE,
    responses=CHANGE_ERRORS,
)
async def restore_webhook(
    webhook_id: WebhookId, endpoints: WebhookEndpointServiceDep
) -> WebhookEndpoint:
    """Bring back from the trash, with its secret."""
    return await endpoints.restore(webhook_id)


@router.post(
    "/{webhook_id}/rotate",
    response_model=WebhookEndpointCreated,
    dependencies=MANAGE,
    responses=CHANGE_ERRORS,
)
async def rotate_webhook(
    webhook_id: WebhookId,
    endpoints: WebhookEndpointServiceDep,
    response: Response,
    data: WebhookEndpointRotate | None = None,
) -> WebhookEndpointCreated:
    """A new secret, shown once; until the overlap ends messages are signed with both."""
    overlap = timedelta(hours=(data or WebhookEndpointRotate()).overlap_hours)
    return shown_once(await endpoints.rotate(webhook_id, overlap), response)


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=WebhookDeliveryRead,
    dependencies=RUN,
    responses=CHANGE_ERRORS,
)
async def test_webhook(
    webhook_id: WebhookId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> WebhookDelivery:
    """Send a message of the type `webhook.test`; look at the delivery to see what came of it."""
    return await deliveries.send_test(await endpoints.get(webhook_id))


@router.get(
    "/{webhook_id}/deliveries",
    response_model=CursorPage[WebhookDeliveryRead],
    dependencies=READ,
    responses=READ_ERRORS,
)
async def list_deliveries(
    webhook_id: WebhookId,
    query: Annotated[WebhookDeliveryQuery, Query()],
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> Any:
    """Messages to this endpoint, newest first; old ones are removed after a while."""
    return await deliveries.list_slice(await endpoints.get(webhook_id), query)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    response_model=WebhookDeliveryDetail,
    dependencies=READ,
    responses=READ_ERRORS,
)
async def get_delivery(
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> WebhookDelivery:
    """What was sent, and what came of the newest try."""
    return await deliveries.get(await endpoints.get(webhook_id), delivery_id)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=WebhookDeliveryRead,
    dependencies=RUN,
    responses=CHANGE_ERRORS,
)
async def redeliver(
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    endpoints: WebhookEndpointServiceDep,
    deliveries: WebhookDeliveryServiceDep,
) -> WebhookDelivery:
    """Send it again now, under the same id, however it ended."""
    return await deliveries.redeliver(await endpoints.get(webhook_id), delivery_id)
