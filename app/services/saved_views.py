"""Saved views: one's own, and those that others share."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from sqlalchemy import Select, or_
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from app.core.permissions import Permission, Role
from app.core.texts import lazy, mark
from app.exceptions import Conflict, Forbidden, Invalid
from app.models import ListName, SavedView, User
from app.schemas.base import PageQuery
from app.schemas.lists import LISTS
from app.schemas.saved_views import SavedViewCreate, SavedViewUpdate
from app.services.base import BaseService

MAX_VIEWS = 100  # of one person and one list
SHOWN = 200


# Who may not read a list has no views of it.
READABLE: Mapping[ListName, Permission] = {
    ListName.EXECUTIONS: Permission.EXECUTIONS_READ,
    ListName.AGENTS: Permission.AGENTS_READ,
    ListName.TOOLS: Permission.TOOLS_READ,
    ListName.USERS: Permission.USERS_READ,
    ListName.API_KEYS: Permission.KEYS_READ,
    ListName.JOBS: Permission.JOBS_READ,
    ListName.AUDIT_EVENTS: Permission.AUDIT_READ,
    ListName.WEBHOOK_ENDPOINTS: Permission.WEBHOOKS_READ,
    ListName.MODEL_PRICES: Permission.PRICES_READ,
    ListName.BULK_CHANGES: Permission.JOBS_READ,
}


class SavedViewService(BaseService[SavedView, SavedViewCreate, SavedViewUpdate]):
    model = SavedView
    resource = "saved_views"
    noun = mark("saved view")
    readable = Permission.VIEWS_READ
    writable = Permission.VIEWS_WRITE
    deletable = Permission.VIEWS_WRITE
    sorts = ("name", "created_at")
    default_sort = "name"
    filters = ("resource",)
    conflicts = {  # noqa: RUF012  (declared as a class variable in the base)
        "uq_saved_views_user_id_resource_name_live": (
            "name",
            "You already have a view of this list called {row.name}.",
        )
    }

    def loads(self) -> Sequence[ExecutableOption]:
        return (joinedload(SavedView.user).load_only(User.full_name),)

    def visible(self, *, trashed: bool = False) -> Select[SavedView]:
        """One's own, and shared ones; superusers see those of others too."""
        lists = [name for name, needed in READABLE.items() if self.actor.may(needed)]
        statement = super().visible(trashed=trashed).where(SavedView.resource.in_(lists))
        if self.actor.role is Role.SUPERUSER:
            return statement
        return statement.where(or_(SavedView.user_id == self.actor.user_id, SavedView.is_shared))

    def matching(self, query: PageQuery) -> Select[SavedView]:
        statement = super().matching(query.model_copy(update={"q": None}))
        if not query.q:
            return statement
        return statement.where(SavedView.name.icontains(query.q, autoescape=True))

    def may_change(self, view: SavedView) -> bool:
        is_own = view.user_id == self.actor.user_id
        return self.actor.may(self.writable) and (is_own or self.actor.role is Role.SUPERUSER)

    async def of_list(self, resource: ListName) -> Sequence[SavedView]:
        """What this person can open, their own first, by name; private ones of others are left out.

        However many others share, one's own are among those that are shown.
        """
        offered = or_(SavedView.user_id == self.actor.user_id, SavedView.is_shared)
        statement = self.visible().where(SavedView.resource == resource, offered)
        is_own = SavedView.user_id == self.actor.user_id
        ordered = statement.order_by(is_own.desc(), SavedView.name, SavedView.id).limit(SHOWN)
        return (await self.session.scalars(ordered.options(*self.loads()))).all()

    async def create(self, data: SavedViewCreate) -> SavedView:
        """Raise ``Conflict`` when one has too many, or one of this name."""
        self.require(self.writable)
        self.actor.require(READABLE[data.resource])
        own = self.visible().where(
            SavedView.user_id == self.actor.user_id, SavedView.resource == data.resource
        )
        if await self.count(own) >= MAX_VIEWS:
            raise Conflict(
                lazy(
                    "You have %(max_views)s views of this list; remove one of them first.",
                    max_views=MAX_VIEWS,
                )
            )
        return await super().create(data)

    async def get_to_change(self, view_id: int) -> SavedView:
        """Raise ``Forbidden`` for a view of somebody else, before anybody fills in a form of it."""
        view = await self.get(view_id)
        self.require_own(view)
        return view

    def require_own(self, row: SavedView) -> None:
        if not self.may_change(row):
            raise Forbidden(lazy("Only its owner or a superuser may change this view."))

    async def check(self, row: SavedView) -> None:
        """Raise ``Forbidden`` for a view of somebody else, ``Invalid`` for what no list has."""
        self.require_own(row)
        known = LISTS[row.resource]
        unknown = sorted(set(row.filters) - known.filters.keys())
        if unknown:
            raise Invalid(
                lazy("This list has no filter called %(unknown)s.", unknown=", ".join(unknown)),
                field="filters",
            )
        try:
            known.parse(row.filters)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = problem["loc"][0] if problem["loc"] else "the filters"
            raise Invalid(f"{where}: {problem['msg']}", field="filters") from error
        if row.sort and row.sort.removeprefix("-") not in known.sorts:
            raise Invalid(
                lazy("Cannot sort by that. Allowed: %(sorts)s.", sorts=", ".join(known.sorts)),
                field="sort",
            )
        if set(row.columns) - set(known.columns):
            raise Invalid(
                lazy("The columns are: %(columns)s.", columns=", ".join(known.columns)),
                field="columns",
            )
