"""A list with the views that somebody kept of it: what is open, and what could be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from pydantic import BaseModel
from starlette.requests import Request

from app.core.permissions import Permission
from app.models import ListName, SavedView
from app.pages import listing
from app.pages.filter_bar import Filter, bar_of
from app.pages.list_state import ALL, ListState, list_context, state_of
from app.pages.list_table import Column, table_of
from app.pages.listing import MESSAGES, href
from app.pages.render import wants_fragment
from app.schemas.lists import LISTS
from app.services.audit_events import AuditEventService
from app.services.base import BaseService
from app.services.list_preferences import ListPreferenceService
from app.services.paging import Slice
from app.services.saved_views import SavedViewService


@dataclass(frozen=True, slots=True)
class ViewLink:
    view: SavedView
    href: str
    is_open: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class Views:
    """The menu of views. ``query`` is what a new view, or a changed one, is to hold."""

    own: list[ViewLink]
    shared: list[ViewLink]
    open: SavedView | None
    is_changed: bool
    has_default: bool
    may_write: bool
    may_change: bool
    query: str
    all_href: str
    remembered: Sequence[str]
    # Where a link to the bare list leads instead.
    goes_to: str | None


def path_of(view: SavedView) -> str:
    return LISTS[view.resource].path


def href_of(view: SavedView) -> str:
    """The list as the view has it, in full, so that the address is what is shown."""
    known = LISTS[view.resource]
    filters = {name: view.filters[name] for name in known.filters if name in view.filters}
    shown = {"sort": known.sort(view.sort), "cols": list(view.columns)}
    return href(path_of(view), filters | shown | {"view": view.id})


def held(name: ListName, query: str) -> dict[str, Any]:
    """What the address of a list says, as a view keeps it; what it cannot keep is left out."""
    given = parse_qs(query)
    known = LISTS[name]
    asked = given.get("cols", [])
    return {
        "filters": known.valid(given),
        "sort": known.sort(next(iter(given.get("sort", [])), None)),
        "columns": [column for column in known.columns if column in asked],
    }


def is_as(view: SavedView, state: ListState) -> bool:
    kept = (view.filters, state.schema.sort(view.sort), list(view.columns))
    return kept == (dict(state.filters), state.sort, list(state.columns))


Asked = BaseService[Any, Any, Any] | AuditEventService  # who asks, and in which session


@dataclass(frozen=True, slots=True)
class Offered:
    """What a list can show, and be narrowed to."""

    columns: Sequence[Column]
    filters: Sequence[Filter]


def framed(
    request: Request,
    place: tuple[ListState, Views],
    rows: Slice[Any],
    query: BaseModel,
    offered: Offered,
) -> dict[str, Any]:
    """All that the template of a list needs beside its rows."""
    state, views = place
    return {
        "views": views,
        **list_context(request, state, rows, query),
        "table": table_of(state, offered.columns, views.remembered),
        "bar": bar_of(state, offered.filters),
        "here": listing.here(request),
    }


async def opened(request: Request, service: Asked, name: ListName) -> tuple[ListState, Views]:
    """The list that the address asks for, and its views: two queries."""
    views = SavedViewService(service.session, service.actor)
    preferences = ListPreferenceService(service.session, service.actor)
    kept = await views.of_list(name) if service.actor.may(Permission.VIEWS_READ) else []
    preference = await preferences.find(name)
    by_id = {str(view.id): view for view in kept}
    default = by_id.get(str(preference.default_view_id)) if preference else None
    state = state_of(request, name)
    known = state.view if state.view == ALL or state.view in by_id else ""
    state = replace(state, view=known or (ALL if default else ""), home=ALL if default else "")
    menu = menu_of(views, state, kept, default)
    columns = preference.columns if preference else []
    goes_to = default_href(request, default)
    return state, replace(menu, remembered=columns, goes_to=goes_to)


def menu_of(
    views: SavedViewService,
    state: ListState,
    kept: Sequence[SavedView],
    default: SavedView | None,
) -> Views:
    links = [
        ViewLink(view, href_of(view), str(view.id) == state.view, view is default) for view in kept
    ]
    shown = next((link.view for link in links if link.is_open), None)
    mine = views.actor.user_id
    return Views(
        own=[link for link in links if link.view.user_id == mine],
        shared=[link for link in links if link.view.user_id != mine],
        open=shown,
        is_changed=shown is not None and not is_as(shown, state),
        has_default=default is not None,
        may_write=views.actor.may(views.writable),
        may_change=shown is not None and views.may_change(shown),
        query=urlencode(state.pairs(["view"])),
        all_href=href(state.path, {"view": state.home}),
        remembered=(),
        goes_to=None,
    )


def default_href(request: Request, default: SavedView | None) -> str | None:
    """The view that a bare link to the list opens, with the message that was to be shown."""
    params: Mapping[str, str] = request.query_params
    if default is None or set(params) - MESSAGES or wants_fragment(request):
        return None
    message = urlencode({name: params[name] for name in params})
    return f"{href_of(default)}{'&' if message else ''}{message}"
