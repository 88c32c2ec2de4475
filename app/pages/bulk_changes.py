"""Changes of many rows on pages: picked in a list, tried dry, started, watched, undone."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import BadRequest, Invalid
from app.models import BulkAction, BulkChange, BulkResource, ListName
from app.pages import forms, listing
from app.pages.bulk_list import COLUMNS, bulk_filters
from app.pages.bulk_view import ACTIONS, LIST_NAMES, line_of, wording_of
from app.pages.deps import BulkChangeServiceDep, requires
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.bulk_changes import (
    VALUES,
    BulkChangeCreate,
    BulkChangeQuery,
    BulkChangeStart,
    BulkRowQuery,
)
from app.schemas.lists import LISTS
from app.services.bulk_changes import SHOWN_COUNT, BulkChangeService

router = APIRouter(prefix="/bulk-changes")
ChangeId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.JOBS_READ)]
WRITE = [requires(Permission.JOBS_WRITE)]
PAGE_SIZE = 50
EVERYTHING = "matching"


@router.get("", dependencies=READ)
async def list_bulk_changes(
    request: Request,
    changes: BulkChangeServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Who changed what many at once, and what became of it."""
    state, views = await opened(request, changes, ListName.BULK_CHANGES)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(BulkChangeQuery, cursor=cursor, limit=PAGE_SIZE)
    rows = await changes.list_changes(query, state.sort or None)
    counts = await changes.counts_of([change.id for change in rows.items])
    offered = Offered(COLUMNS, await bulk_filters(changes))
    context = {
        "lines": [(each, wording_of(each, counts[each.id].changed)) for each in rows.items],
        "counts": counts,
        **framed(request, (state, views), rows, query, offered),
    }
    name = "_list.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/bulk_changes/{name}", context)


@router.get("/matching", dependencies=READ)
async def count_matching(
    request: Request,
    changes: BulkChangeServiceDep,
    resource: BulkResource,
    chosen: Annotated[str, Query(alias="filter", max_length=10_000)] = "{}",
) -> Response:
    """How many rows the filter of a list has: the words beside "select all"."""
    count = await changes.count_matching(resource, listing.filter_in(chosen))
    context = {"count": count, "most": SHOWN_COUNT, "resource": resource.value}
    return render(request, "pages/bulk_changes/_matching.html", context)


@router.post("", dependencies=WRITE)
async def try_out(request: Request, changes: BulkChangeServiceDep) -> Response:
    """The dry run of what was picked; asks for the value first where one is missing."""
    values = forms.typed(await request.form(), lists=("ids",))
    asked = selection_of(values)
    if asked.get("action") in VALUES and "value" not in values:
        return value_page(request, values, forms.Form({"value": ""}))
    data, form = forms.parse(BulkChangeCreate, asked)
    if data is not None:
        try:
            async with changes.session.begin_nested():
                change = await changes.create(data)
        except Invalid as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/bulk-changes/{change.id}")
    if asked.get("action") in VALUES and set(form.errors) == {"value"}:
        return value_page(request, values, form, 422)
    raise Invalid(next(iter(form.errors.values())) if form.errors else "That cannot be read.")


def selection_of(values: dict[str, Any]) -> dict[str, Any]:
    """What was picked, as the API takes it: the ticked rows, or all that the list has."""
    asked = {name: values[name] for name in ("resource", "action", "value") if name in values}
    if values.get("rows") == EVERYTHING:
        return asked | {"filter": listing.filter_in(str(values.get("filter") or "{}"))}
    if not values.get("ids"):
        raise Invalid(lazy("Tick the rows that are to be changed first."))
    return asked | {"ids": values["ids"]}


def resource_in(values: dict[str, Any]) -> BulkResource:
    """Raise ``BadRequest`` for what is no list."""
    name = values.get("resource")
    if name not in set(BulkResource):
        raise BadRequest(lazy("The list cannot be read. Load it again."))
    return BulkResource(name)


def value_page(
    request: Request, values: dict[str, Any], form: forms.Form, status: int = 200
) -> Response:
    fields = [(name, values[name]) for name in ("resource", "rows", "filter") if values.get(name)]
    resource = resource_in(values)
    context = {
        "action": ACTIONS[BulkAction(str(values["action"]))],
        "field": values["action"],
        "path": LISTS[ListName(resource)].path,
        "list_name": LIST_NAMES[resource],
        "hidden": [*fields, *(("ids", row_id) for row_id in values["ids"])],
        "form": form,
    }
    return render(request, "pages/bulk_changes/value.html", context, status)


@router.get("/{change_id}", dependencies=READ)
async def show_bulk_change(
    request: Request, change_id: ChangeId, changes: BulkChangeServiceDep
) -> Response:
    """A dry run to be started, or what became of each row; fetched again while it is done."""
    context = await change_context(request, changes, await changes.get(change_id))
    name = "_change.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/bulk_changes/{name}", context)


async def change_context(
    request: Request,
    changes: BulkChangeService,
    change: BulkChange,
    form: forms.Form | None = None,
) -> dict[str, Any]:
    query = listing.query_of(request, BulkRowQuery)
    query.limit = PAGE_SIZE
    found = await changes.rows(change, query)
    counts = await changes.counts(change)
    params = listing.current_params(request)
    more = params | {"cursor": found.next_cursor} if found.next_cursor else None
    return {
        "change": change,
        "form": form or forms.Form({"note": change.note or ""}),
        "words": wording_of(change, counts.changed),
        "counts": counts,
        "lines": [line_of(row, change.resource) for row in found.items],
        "query": query,
        "first": listing.href(request.url.path, params) if query.cursor else None,
        "more": listing.href(request.url.path, more) if more else None,
        "here": listing.here(request),
        "undone_by": await changes.undone_by(change),
        "may_write": changes.actor.may(Permission.JOBS_WRITE),
    }


@router.post("/{change_id}/start", dependencies=WRITE)
async def start_bulk_change(
    request: Request, change_id: ChangeId, changes: BulkChangeServiceDep
) -> Response:
    values = forms.typed(await request.form())
    given = {name: values.get(name, "") for name in ("note", "confirm")}
    data, form = forms.parse(BulkChangeStart, given)
    if data is not None:
        try:
            async with changes.session.begin_nested():
                await changes.start(change_id, data.note, data.confirm)
        except Invalid as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/bulk-changes/{change_id}", "bulk_started")
    context = await change_context(request, changes, await changes.get(change_id), form)
    return render(request, "pages/bulk_changes/detail.html", context, 422)


@router.post("/{change_id}/undo", dependencies=WRITE)
async def undo_bulk_change(
    request: Request, change_id: ChangeId, changes: BulkChangeServiceDep
) -> Response:
    """The dry run of taking it back, on a page of its own."""
    undo = await changes.undo(change_id, dry_run=True)
    return redirect(request, f"/bulk-changes/{undo.id}")
