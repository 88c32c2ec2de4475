"""What a list shows, as its URL says it; whatever else the URL holds is left out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from starlette.requests import Request

from app.models import ListName
from app.pages.listing import href
from app.schemas.lists import LISTS, PLACES, ListSchema
from app.services.paging import Slice

Q = TypeVar("Q", bound=BaseModel)
Pairs = list[tuple[str, str]]
ALL = "all"
VIEW_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListState:
    """Filters by parameter, and how the rows are shown; each part valid."""

    # None for a list within a page, of which no views are kept.
    name: ListName | None
    schema: ListSchema
    path: str
    filters: Mapping[str, list[str]]
    sort: str = ""
    columns: tuple[str, ...] = ()
    # The saved view that is open, ALL for none although another would be; and which of the two
    # the whole list is.
    view: str = ""
    home: str = ""

    @property
    def params(self) -> dict[str, Any]:
        """As the URL has them, in a fixed order."""
        given = {name: self.filters[name] for name in self.schema.filters if name in self.filters}
        return {**given, "sort": self.sort, "cols": list(self.columns), "view": self.view}

    def href(self, without: Sequence[str] = (), **others: Any) -> str:  # texts and lists of them
        """This list with some parameters taken off and others put on."""
        kept = {name: value for name, value in self.params.items() if name not in without}
        return href(self.path, kept | others)

    def pairs(self, without: Sequence[str] = ()) -> Pairs:
        """What a form keeps beside its own fields."""
        kept = {name: value for name, value in self.params.items() if name not in without}
        return [
            (name, text)
            for name, value in kept.items()
            for text in (value if isinstance(value, list) else [value])
            if text
        ]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.filters.keys() - self.schema.kept)

    @property
    def all_href(self) -> str:
        """The whole list."""
        return self.href(list(self.filters.keys() - self.schema.kept), view=self.home)

    def query(self, schema: type[Q], **values: Any) -> Q:  # fields of the query
        """The filters as the service takes them."""
        return cast("Q", self.schema.parse(self.filters)).model_copy(update=values)


def state_of(request: Request, name: ListName) -> ListState:
    """Raises nothing: a link to a list never breaks."""
    return state_within(request, LISTS[name], name)


def state_within(request: Request, known: ListSchema, name: ListName | None = None) -> ListState:
    """Of a list without a name: one within a page."""
    params = request.query_params
    given = {each: params.getlist(each) for each in params}
    asked = [part for text in given.get("cols", []) for part in text.split(",")]
    return ListState(
        name,
        known,
        request.url.path,
        known.valid(given),
        known.sort(params.get("sort")),
        tuple(column for column in known.columns if column in asked),
        view if (view := params.get("view", "")) == ALL or VIEW_ID.fullmatch(view) else "",
    )


def list_context(
    request: Request, state: ListState, rows: Slice[Any], query: BaseModel
) -> dict[str, Any]:
    """What the template of every list needs beside its rows."""

    def to(cursor: str | None) -> str | None:
        return state.href(cursor=cursor) if cursor else None

    return {
        "state": state,
        "links": {"newer": to(rows.previous_cursor), "older": to(rows.next_cursor)},
        # The filter as changes of many rows take it, wherever one is in the list.
        "matching": query.model_dump_json(
            exclude_defaults=True, by_alias=True, exclude={*PLACES, "range"}
        ),
        # As htmx says it: typing in the search box changes the links around the rows, too.
        "is_search": request.headers.get("hx-source", "").endswith("#search"),
    }
