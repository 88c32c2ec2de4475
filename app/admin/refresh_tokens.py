"""Logins of people at the JSON API, for superusers: who, since when, and the way to end one."""

from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.logins import LoginView
from app.core.actor import Actor
from app.core.config import Settings
from app.core.texts import lazy
from app.models import RefreshToken
from app.services.refresh_tokens import RefreshTokenService


class RefreshTokenView(LoginView, model=RefreshToken):
    name, name_plural, icon = lazy("API login"), lazy("API logins"), "refresh"
    about = lazy("Refresh tokens of people at the JSON API. Those of one login share a family.")
    columns = ("id", "user_id", "family_id", "created_at", "used_at", "expires_at", "revoked_at")
    more_columns = ("authenticated_at", "ip", "user_agent", "updated_at")

    def logins(
        self, session: AsyncSession, actor: Actor, settings: Settings
    ) -> RefreshTokenService:
        return RefreshTokenService(session, actor, settings)
