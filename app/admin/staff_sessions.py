"""Logins of staff, for superusers: who is in since when, and the way to end it."""

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
from app.models import StaffSession, User
from app.services.staff_sessions import StaffSessionService


class StaffSessionView(ServiceView, model=StaffSession):
    name, name_plural, icon = lazy("Staff session"), lazy("Staff sessions"), "login-2"
    about = lazy("Who is logged in since when, and from where.")
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.SESSIONS_MANAGE,
        "details": Permission.SESSIONS_MANAGE,
        "export": Permission.SESSIONS_MANAGE,
        "action:end": Permission.SESSIONS_MANAGE,
    }
    columns = ("id", "user_id", "created_at", "last_seen_at", "expires_at", "revoked_at", "ip")
    more_columns = ("user_agent", "reauthenticated_at", "updated_at")
    labels: ClassVar[dict[str, str]] = {"revoked_at": lazy("Ended at"), "ip": lazy("From")}
    names: ClassVar[dict[str, Names]] = {"user_id": Names(User.email, Permission.USERS_READ)}
    list_filters = (Filter("user_id", lazy("User id")),)
    # New sessions come with growing ids, and only the key is indexed for this.
    sorts = ("id",)
    default_sort = "-id"

    def visible(self, session: AsyncSession, actor: Actor, *, trashed: bool = False) -> Select[Any]:
        actor.require(Permission.SESSIONS_MANAGE)
        return select(StaffSession)

    @action(name="end", label="End session", confirmation_message="They will have to log in again.")
    async def end(self, request: Request) -> Response:
        row_ids = self.ids_of(keys_in(await posted(request)))
        async with database_of(request).unit_of_work() as session:
            settings = request.app.state.settings
            service = StaffSessionService(session, actor_of(request), settings)
            for row_id in row_ids:
                await service.end(row_id)
        return back_to_list(self, "ended")
