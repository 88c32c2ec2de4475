"""The list of a view: what the URL asks for, the rows it gives, and what the template shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import QueryParams

from app.admin.base import BASE_URL, ServiceView
from app.admin.cells import Cell, short
from app.admin.paging import Rows, read
from app.core.actor import Actor
from app.core.texts import _, lazy, ngettext
from app.core.wording import number
from app.exceptions import BadRequest

PAGE_SIZE, MAX_PAGE_SIZE, COUNT_LIMIT = 25, 100, 1000
MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What the URL asks for, checked."""

    search: str
    sort: str
    cursor: str | None
    size: int
    trashed: bool
    filters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, view: ServiceView, params: QueryParams) -> "ListQuery":
        """Raise ``BadRequest`` for a size or sort that no list has."""
        return cls(
            search=params.get("search", "").replace("\x00", "").strip()[:MAX_SEARCH],
            sort=sort_of(view, params),
            cursor=params.get("cursor") or None,
            size=size_of(params.get("pageSize")),
            trashed=params.get("trash") == "1" and view.has_trash(),
            filters={f.name: params[f.name] for f in view.list_filters if params.get(f.name)},
        )

    def url(self, view: ServiceView, page: str = "list", **changes: str | None) -> str:
        """This list with some of it changed; a change starts again from the first page."""
        own = {
            "search": self.search or None,
            "sort": None if self.sort == view.default_sort else self.sort,
            "pageSize": None if self.size == PAGE_SIZE else str(self.size),
            "trash": "1" if self.trashed else None,
            **self.filters,
        }
        wanted = {key: value for key, value in (own | changes).items() if value is not None}
        path = f"{BASE_URL}/{view.identity}/{page}"
        return f"{path}?{urlencode(wanted)}" if wanted else path


def sort_of(view: ServiceView, params: QueryParams) -> str:
    """``sort=-name`` as everywhere else, or SQLAdmin's ``sortBy=name&sort=desc``."""
    by, sort = params.get("sortBy"), params.get("sort")
    if by:
        sort = f"-{by}" if sort == "desc" else by
    wanted = sort or view.default_sort
    if wanted.removeprefix("-") not in {*view.sorts, view.default_sort.removeprefix("-")}:
        raise BadRequest(
            lazy("Cannot sort by that. Allowed: %(sorts)s.", sorts=", ".join(view.sorts))
        )
    return wanted


def size_of(text: str | None) -> int:
    if not text:
        return PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise BadRequest(lazy("pageSize must be a number of rows."))
    return min(int(text), MAX_PAGE_SIZE)


def matching(
    view: ServiceView, session: AsyncSession, actor: Actor, query: ListQuery
) -> Select[Any]:  # rows of the view's model
    """The visible rows that the query asks for, in no order yet."""
    statement = view.visible(session, actor, trashed=query.trashed)
    if query.search:
        statement = statement.where(view.search_rule(query.search))
    for known in view.list_filters:
        if known.name in query.filters:
            column = getattr(view.model, known.name)
            value = known.parse(query.filters[known.name], column.type.python_type)
            statement = statement.where(column == value)
    return statement


async def count(view: ServiceView, session: AsyncSession, statement: Select[Any]) -> int:
    """How many rows, counted no further than ``COUNT_LIMIT`` and one."""
    keys = statement.with_only_columns(*view.key_columns()).order_by(None)
    bounded = keys.limit(COUNT_LIMIT + 1).subquery()
    return await session.scalar(select(func.count()).select_from(bounded)) or 0


def count_text(total: int) -> str:
    if total > COUNT_LIMIT:
        return _("%(num)s+ rows", num=number(COUNT_LIMIT))
    return ngettext("%(num)s row", "%(num)s rows", total)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's title, with where a click on it leads."""

    label: str
    href: str | None
    direction: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    key: str
    label: str
    href: str
    edit_href: str | None
    cells: list[Cell]


def headings(view: ServiceView, query: ListQuery) -> list[Heading]:
    return [heading(view, query, name) for name in view.columns]


def heading(view: ServiceView, query: ListQuery, name: str) -> Heading:
    label, numeric = view.label(name), view.is_number(name)
    if name not in view.sorts:
        return Heading(label, None, "none", numeric)
    direction = {name: "ascending", f"-{name}": "descending"}.get(query.sort, "none")
    # A second click turns the order round.
    target = f"-{name}" if query.sort == name else name
    href = query.url(view, sort=None if target == view.default_sort else target)
    return Heading(label, href, direction, numeric)


async def lines(
    view: ServiceView, session: AsyncSession, actor: Actor, rows: Rows, query: ListQuery
) -> list[Line]:
    table = await view.cells(session, actor, rows.items, view.columns)
    may_edit = "edit" in view.permissions and actor.may(view.permissions["edit"])
    return [
        Line(
            key=view.key_of(row),
            label=str(row),
            href=view.details_href(row, trashed=query.trashed),
            edit_href=f"{BASE_URL}/{view.identity}/edit/{view.key_of(row)}"
            if may_edit and not query.trashed
            else None,
            cells=[short(cell) for cell in cells],
        )
        for row, cells in zip(rows.items, table, strict=True)
    ]


async def list_context(
    view: ServiceView, session: AsyncSession, actor: Actor, query: ListQuery
) -> dict[str, Any]:  # what the template reads
    """Two queries and one for each kind of referred row, however many rows there are."""
    statement = matching(view, session, actor, query)
    rows = await read(session, statement, view.order(query.sort), query.cursor, query.size)
    may = {action for action, needed in view.permissions.items() if actor.may(needed)}
    return {
        "query": query,
        "headings": headings(view, query),
        "lines": await lines(view, session, actor, rows, query),
        "count_text": count_text(await count(view, session, statement)),
        "next_href": rows.next_cursor and query.url(view, cursor=rows.next_cursor),
        "previous_href": rows.previous_cursor and query.url(view, cursor=rows.previous_cursor),
        "export_href": query.url(view, "export/csv") if "export" in may else None,
        "create_href": f"{BASE_URL}/{view.identity}/create" if "create" in may else None,
        "trash_href": query.url(view, trash=None if query.trashed else "1"),
        "plain_href": f"{BASE_URL}/{view.identity}/list{'?trash=1' if query.trashed else ''}",
    }
