"""Saved views over JSON; for people, never for keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.deps import IfMatchDep, SavedViewServiceDep, etag, requires
from app.api.idempotency import OnceDep
from app.api.openapi import created
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CREATE_ERRORS, LIST_ERRORS, READ_ERRORS, page_of
from app.core.permissions import Permission
from app.models import SavedView
from app.schemas.base import MAX_BIGINT, Page
from app.schemas.saved_views import (
    SavedViewCreate,
    SavedViewQuery,
    SavedViewRead,
    SavedViewUpdate,
)

router = APIRouter(prefix="/saved-views", tags=["saved views"], route_class=StrictRoute)
ViewId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The view's id.")]
READ = [requires(Permission.VIEWS_READ)]
WRITE = [requires(Permission.VIEWS_WRITE)]


@router.post(
    "",
    status_code=201,
    response_model=SavedViewRead,
    dependencies=WRITE,
    responses={**created(SavedViewRead), **CREATE_ERRORS},
)
async def create_view(
    data: SavedViewCreate,
    views: SavedViewServiceDep,
    request: Request,
    response: Response,
    once: OnceDep,
) -> Any:
    """Keep a list's filters, sort and columns under a name."""
    view = await views.create(data)
    response.headers["Location"] = f"{request.url.path}/{view.id}"
    response.headers["ETag"] = etag(view.row_version)
    return await once.keep(SavedViewRead.model_validate(view), response, 201)


@router.get("", response_model=Page[SavedViewRead], dependencies=READ, responses=LIST_ERRORS)
async def list_views(query: Annotated[SavedViewQuery, Query()], views: SavedViewServiceDep) -> Any:
    """Your views and those that others share, by name."""
    return page_of(await views.list_page(query), query)


@router.get("/{view_id}", response_model=SavedViewRead, dependencies=READ, responses=READ_ERRORS)
async def get_view(view_id: ViewId, views: SavedViewServiceDep, response: Response) -> SavedView:
    """One view."""
    view = await views.get(view_id)
    response.headers["ETag"] = etag(view.row_version)
    return view


@router.patch(
    "/{view_id}", response_model=SavedViewRead, dependencies=WRITE, responses=CHANGE_ERRORS
)
async def update_view(
    view_id: ViewId,
    data: SavedViewUpdate,
    views: SavedViewServiceDep,
    version: IfMatchDep,
    response: Response,
) -> SavedView:
    """Rename it, share it, or change what it shows; the owner's to do, or a superuser's."""
    view = await views.update(view_id, data, version)
    response.headers["ETag"] = etag(view.row_version)
    return view


@router.delete("/{view_id}", status_code=204, dependencies=WRITE, responses=CHANGE_ERRORS)
async def delete_view(view_id: ViewId, views: SavedViewServiceDep, version: IfMatchDep) -> None:
    """Move to the trash; restore brings it back."""
    await views.delete(view_id, version)


@router.post(
    "/{view_id}/restore",
    response_model=SavedViewRead,
    dependencies=WRITE,
    responses=CHANGE_ERRORS,
)
async def restore_view(view_id: ViewId, views: SavedViewServiceDep) -> SavedView:
    """Bring back from the trash."""
    return await views.restore(view_id)
