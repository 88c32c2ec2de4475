"""Logins of people at the JSON API, for superusers: who, since when, and the way to end one."""

from typing import Any, ClassVar

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
from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import RefreshToken, User
from app.services.refresh_tokens import RefreshTokenService


class RefreshTokenView(ServiceView, model=RefreshToken):
    name, name_plural, icon = lazy("API login"), lazy("API logins"), "refresh"
    about = lazy("Refresh tokens of people at the JSON API. Those of one login share a family.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.SESSIONS_MANAGE,
        "details": Permission.SESSIONS_MANAGE,
        "export": Permission.SESSIONS_MANAGE,
        "action:end": Permission.SESSIONS_MANAGE,
    }
    columns = ("id", "user_id", "family_id", "created_at", "used_at", "expires_at", "revoked_at")
    more_columns = ("authenticated_at", "ip", "user_agent", "updated_at")
    labels: ClassVar[dict[str, str]] = {"revoked_at": lazy("Ended at"), "ip": lazy("From")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (Filter("user_id", lazy("User id")),)
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        actor.require(Permission.SESSIONS_MANAGE)
        return select(RefreshToken)

    @action(name="end", label="End login", confirmation_message="They will have to log in again.")
    async def end(self, request: Request) -> Response:
        row_ids = self.ids_of(keys_in(await posted(request)))
        async with database_of(request).unit_of_work() as session:
            settings = request.app.state.settings
            service = RefreshTokenService(session, actor_of(request), settings)
            for row_id in row_ids:
                await service.end(row_id)
        return back_to_list(self, "ended")
