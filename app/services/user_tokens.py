"""One-time links: invitations and password resets. Only a hash is stored; each works once."""

import secrets
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.security import hash_password, sha256
from app.core.texts import lazy
from app.exceptions import NotFound
from app.models import TokenPurpose, User, UserToken
from app.schemas.users import NewPassword
from app.services.audit_events import AuditEventService, pending_changes
from app.services.credentials import end_credentials
from app.services.logins import may_enter

OVER = lazy("This link is over: it was used, replaced by a newer one, or is too old.")


class UserTokenService:
    resource = "users"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)
        self._lifetimes = {
            TokenPurpose.INVITATION: timedelta(days=settings.invitation_days),
            TokenPurpose.PASSWORD_RESET: timedelta(minutes=settings.password_reset_minutes),
        }

    async def issue(self, user: User, purpose: TokenPurpose) -> str:
        """The token of a new link; every earlier link of this person stops working."""
        await self.session.execute(
            delete(UserToken).where(UserToken.user_id == user.id, UserToken.used_at.is_(None))
        )
        token = secrets.token_urlsafe(32)
        self.session.add(
            UserToken(
                user_id=user.id,
                purpose=purpose,
                token_sha256=sha256(token),
                expires_at=func.clock_timestamp() + self._lifetimes[purpose],
                created_by=self.actor.user_id,
            )
        )
        await self.session.flush()
        self.audit.record(f"send_{purpose.value}", self.resource, user, {})
        return token

    async def person_to_reset(self, email: str) -> User | None:
        """Who may get a reset at this address, ``None`` where there is nobody to tell."""
        user = await self.session.scalar(
            select(User).where(func.lower(User.email) == email.lower(), User.deleted_at.is_(None))
        )
        if user is None or not may_enter(user):
            return None
        # A stranger must not shorten the time of an invitation.
        return user if user.hashed_password is not None else None

    def _live(self, token: str) -> Select[UserToken]:
        return (
            select(UserToken)
            .where(
                UserToken.token_sha256 == sha256(token),
                UserToken.used_at.is_(None),
                UserToken.expires_at > func.clock_timestamp(),
            )
            .options(joinedload(UserToken.user))
        )

    async def get(self, token: str, *, lock: bool = False) -> UserToken:
        """The live link. Raise ``NotFound`` when it is over or its person may not come in."""
        statement = self._live(token)
        if lock:
            statement = statement.with_for_update(of=UserToken)
        row = await self.session.scalar(statement)
        if row is None or not may_enter(row.user):
            raise NotFound(OVER)
        return row

    async def redeem(self, token: str, data: NewPassword) -> User:
        """Set the password; whoever was logged in as this person no longer is."""
        row = await self.get(token, lock=True)
        user, now = row.user, await database_now(self.session)
        row.used_at = now
        user.hashed_password = await hash_password(data.password.get_secret_value())
        user.password_changed_at = now
        changes = pending_changes(user)
        await self.session.flush()
        action = "accept_invitation" if row.purpose is TokenPurpose.INVITATION else "reset_password"
        own = AuditEventService(self.session, replace(self.actor, user_id=user.id))
        own.record(action, self.resource, user, changes)
        await end_credentials(self.session, user.id)
        return user
