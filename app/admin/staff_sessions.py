"""Logins of staff, for superusers: who is in since when, and the way to end it."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.logins import LoginView
from app.core.actor import Actor
from app.core.config import Settings
from app.core.texts import lazy
from app.models import StaffSession
from app.services.staff_sessions import StaffSessionService


class StaffSessionView(LoginView, model=StaffSession):
    name, name_plural, icon = lazy("Staff session"), lazy("Staff sessions"), "login-2"
    about = lazy("Who is logged in since when, and from where.")
    columns = ("id", "user_id", "created_at", "last_seen_at", "expires_at", "revoked_at", "ip")
    more_columns = ("user_agent", "reauthenticated_at", "updated_at")

    def logins(
        self, session: AsyncSession, actor: Actor, settings: Settings
    ) -> StaffSessionService:
        return StaffSessionService(session, actor, settings)
