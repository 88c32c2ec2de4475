"""What views of logins share: whose they are, and the way to end one."""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

from sqladmin import action
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from app.admin.actions import back_to_list
from app.admin.auth import actor_of, database_of
from app.admin.base import Names, ServiceView, keys_in
from app.admin.filters import Filter
from app.admin.forms import posted
from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import User


class Logins(Protocol):
    """A service that ends logins."""

    async def end(self, row_id: int, /) -> Any:  # of whatever kind it is
        ...


class LoginView(ServiceView):
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.SESSIONS_MANAGE,
        "details": Permission.SESSIONS_MANAGE,
        "export": Permission.SESSIONS_MANAGE,
        "action:end": Permission.SESSIONS_MANAGE,
    }
    labels: ClassVar[dict[str, str]] = {"revoked_at": lazy("Ended at"), "ip": lazy("From")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (Filter("user_id", lazy("User id")),)
    # New ones come with growing ids, and only the key is indexed for this.
    sorts = ("id",)
    default_sort = "-id"

    @abstractmethod
    def logins(self, session: AsyncSession, actor: Actor, settings: Settings) -> Logins:
        """The service of this kind of login."""

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        actor.require(Permission.SESSIONS_MANAGE)
        return select(self.model)

    @action(name="end", label="End login", confirmation_message="They will have to log in again.")
    async def end(self, request: Request) -> Response:
        row_ids = self.ids_of(keys_in(await posted(request)))
        async with database_of(request).unit_of_work() as session:
            service = self.logins(session, actor_of(request), request.app.state.settings)
            for row_id in row_ids:
                await service.end(row_id)
        return back_to_list(self, "ended")
