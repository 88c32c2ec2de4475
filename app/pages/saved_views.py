"""Saved views on pages: kept from a list, opened, changed and shared."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import AppError
from app.models import ListName, SavedView
from app.pages import forms, listing
from app.pages.deps import ListPreferenceServiceDep, SavedViewServiceDep, requires
from app.pages.list_views import held, href_of, path_of
from app.pages.render import redirect, render
from app.pages.view_words import words_of
from app.schemas.base import MAX_BIGINT
from app.schemas.lists import LISTS
from app.schemas.saved_views import SavedViewCreate, SavedViewQuery, SavedViewUpdate
from app.services.saved_views import SavedViewService

router = APIRouter(prefix="/views")
ViewId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
Query = Annotated[str, Form(max_length=20_000)]
READ = [requires(Permission.VIEWS_READ)]
WRITE = [requires(Permission.VIEWS_WRITE)]
PAGE_SIZE = 50


@router.get("", dependencies=READ)
async def list_saved_views(request: Request, views: SavedViewServiceDep) -> Response:
    query = listing.query_of(request, SavedViewQuery)
    cursor = request.query_params.get("cursor", "")[:500] or None
    rows = await views.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "query": query,
        "rows": [
            (view, href_of(view), views.may_change(view), words)
            for view, words in zip(rows.items, await words_of(views, rows.items), strict=True)
        ],
        "user_id": views.actor.user_id,
        "links": listing.pager_links(request, rows),
    }
    return render(request, "pages/saved_views/list.html", context)


def form_page(
    request: Request, form: forms.Form, view: SavedView | None, status: int = 200
) -> Response:
    context = {"form": form, "view": view, "back": href_of(view) if view else None}
    return render(request, "pages/saved_views/form.html", context, status)


@router.post("", dependencies=WRITE)
async def create_view(
    request: Request,
    views: SavedViewServiceDep,
    resource: Annotated[ListName, Form()],
    query: Query = "",
) -> Response:
    """What the list showed, under a name."""
    typed = forms.typed(await request.form())
    shared = typed.get("is_shared", "false")
    given = {"name": typed.get("name", ""), "is_shared": shared, "resource": resource}
    data, form = forms.parse(SavedViewCreate, given | held(resource, query))
    form.values |= {"query": query, "resource": resource.value}
    if data is not None:
        try:
            async with views.session.begin_nested():
                view = await views.create(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, href_of(view), "saved")
    return form_page(request, form, None, 422)


@router.get("/{view_id}", dependencies=READ)
async def open_view(request: Request, view_id: ViewId, views: SavedViewServiceDep) -> Response:
    """A lasting link to the list as the view has it."""
    return redirect(request, href_of(await views.get(view_id)))


@router.get("/{view_id}/edit", dependencies=WRITE)
async def edit_view(request: Request, view_id: ViewId, views: SavedViewServiceDep) -> Response:
    view = await views.get_to_change(view_id)
    values = {"name": view.name, "row_version": view.row_version}
    shared = "true" if view.is_shared else "false"
    return form_page(request, forms.Form(values | {"is_shared": shared}), view)


@router.post("/{view_id}/edit", dependencies=WRITE)
async def rename_view(request: Request, view_id: ViewId, views: SavedViewServiceDep) -> Response:
    """Its name, and whether it is shared."""
    values: dict[str, Any] = forms.typed(await request.form())
    values["is_shared"] = values.get("is_shared", "false")
    version = forms.version_in(values)
    data, form = forms.parse(SavedViewUpdate, values)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with views.session.begin_nested():
                view = await views.update(view_id, data, version)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, href_of(view), "saved")
    return form_page(request, form, await views.get(view_id), 422)


@router.post("/{view_id}/update", dependencies=WRITE)
async def update_view(
    request: Request, view_id: ViewId, views: SavedViewServiceDep, query: Query = ""
) -> Response:
    """Show from now on what the list shows now. Raise ``StaleVersion`` where others were first."""
    version = forms.version_in(forms.typed(await request.form()))
    view = await views.get(view_id)
    changed = SavedViewUpdate.model_validate(held(view.resource, query))
    view = await views.update(view_id, changed, version)
    return redirect(request, href_of(view), "saved")


@router.post("/{view_id}/delete", dependencies=WRITE)
async def delete_view(request: Request, view_id: ViewId, views: SavedViewServiceDep) -> Response:
    path = f"{path_of(await views.get(view_id))}?view=all"
    await views.delete(view_id)
    return redirect(request, path, "trashed", f"saved_views:{view_id}")


@router.post("/{view_id}/restore", dependencies=WRITE)
async def restore_view(request: Request, view_id: ViewId, views: SavedViewServiceDep) -> Response:
    return redirect(request, href_of(await views.restore(view_id)), "restored")


@router.post("/{view_id}/default", dependencies=WRITE)
async def open_list_by_view(
    request: Request, view_id: ViewId, preferences: ListPreferenceServiceDep
) -> Response:
    """A bare link to the list leads to this view, for oneself."""
    view = await SavedViewService(preferences.session, preferences.actor).get(view_id)
    await preferences.open_by(view.resource, view.id)
    return redirect(request, href_of(view), "opens_by_view")


@router.post("/lists/{resource}/default", dependencies=WRITE)
async def open_whole_list(
    request: Request, resource: ListName, preferences: ListPreferenceServiceDep
) -> Response:
    """A bare link to the list leads to all of it again."""
    await preferences.open_by(resource, None)
    return redirect(request, LISTS[resource].path, "opens_whole")


@router.post("/lists/{resource}/columns", dependencies=WRITE)
async def keep_columns(
    request: Request, resource: ListName, preferences: ListPreferenceServiceDep
) -> Response:
    """The columns that are ticked, for oneself; none ticked are the usual ones."""
    sent = [(key, str(value)) for key, value in (await request.form()).multi_items()]
    columns = held(resource, urlencode(sent))["columns"]
    await preferences.keep_columns(resource, columns)
    params = urlencode([pair for pair in sent if pair[0] != "cols"])
    path = LISTS[resource].path
    back = f"{path}?{params}" if params else path
    return redirect(request, back, "columns_kept" if columns else "columns_usual")
