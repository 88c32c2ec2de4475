"""Logins: the cookie holds a signed opaque id, everything else is the row."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import ROLE_PERMISSIONS, Permission, Role
from app.core.security import sha256, verify_password
from app.exceptions import NotFound, Unauthorized
from app.models import StaffSession, User
from app.services.audit_events import AuditEventService

SEEN_EVERY = timedelta(minutes=1)
WRONG_CREDENTIALS = "That e-mail and password do not belong to an active staff account."


def actor_of(user: User, via: Via, request_id: str | None, ip: str | None) -> Actor:
    return Actor(
        user_id=user.id,
        role=user.role,
        permissions=ROLE_PERMISSIONS[user.role],
        via=via,
        request_id=request_id,
        ip=ip,
    )


class StaffSessionService:
    """Log in, recognise, log out. Expiry goes by the database's clock."""

    resource = "staff_sessions"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.audit = AuditEventService(session, actor)

    async def log_in(self, email: str, password: str, user_agent: str | None) -> tuple[User, str]:
        """The user and a new session's token. Raise ``Unauthorized`` saying nothing more.

        An unknown address costs the same time as a wrong password.
        """
        user = await self.session.scalar(
            select(User).where(func.lower(User.email) == email.lower(), User.deleted_at.is_(None))
        )
        valid, upgraded = await verify_password(password, user.hashed_password if user else None)
        if user is None or not valid or not self._may_enter(user):
            raise Unauthorized(WRONG_CREDENTIALS)
        if upgraded:
            user.hashed_password = upgraded
        user.last_login_at = await self.session.scalar(select(func.clock_timestamp()))
        return user, await self._open(user, user_agent)

    def record_refused_login(self, email: str) -> None:
        self.audit.record("login_refused", "users", None, {"email": [None, email[:254]]})

    async def _open(self, user: User, user_agent: str | None) -> str:
        token = secrets.token_urlsafe(32)
        lifetime = timedelta(hours=self.settings.session_absolute_hours)
        row = StaffSession(
            token_sha256=sha256(token),
            user_id=user.id,
            expires_at=func.clock_timestamp() + lifetime,
            ip=self.actor.ip,
            user_agent=(user_agent or "")[:300].replace("\x00", "") or None,
        )
        self.session.add(row)
        await self.session.flush()  # the audit event needs the session's id
        own = AuditEventService(
            self.session, actor_of(user, self.actor.via, self.actor.request_id, self.actor.ip)
        )
        own.record("login", self.resource, row, {"user": [None, user.email]})
        await self._end_oldest(user)
        return token

    async def _end_oldest(self, user: User) -> None:
        kept = (
            select(StaffSession.id)
            .where(StaffSession.user_id == user.id, StaffSession.revoked_at.is_(None))
            .order_by(StaffSession.created_at.desc(), StaffSession.id.desc())
            .limit(self.settings.max_sessions_per_user)
        )
        await self._revoke(StaffSession.user_id == user.id, StaffSession.id.not_in(kept))

    async def recognise(self, token: str) -> StaffSession | None:
        """The live session of this token with its user, or ``None``; notes that it was seen."""
        idle = timedelta(minutes=self.settings.session_idle_minutes)
        now = func.clock_timestamp()
        row = await self.session.scalar(
            select(StaffSession)
            .where(
                StaffSession.token_sha256 == sha256(token),
                StaffSession.revoked_at.is_(None),
                StaffSession.expires_at > now,
                StaffSession.last_seen_at > now - idle,
            )
            .options(joinedload(StaffSession.user))
        )
        return row if row is not None and self._may_enter(row.user) else None

    async def note_seen(self, row: StaffSession) -> None:
        """Once a minute is enough, and keeps reading pages from writing rows."""
        await self.session.execute(
            update(StaffSession)
            .where(
                StaffSession.id == row.id,
                StaffSession.last_seen_at < func.clock_timestamp() - SEEN_EVERY,
            )
            .values(last_seen_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )

    async def log_out(self, token: str) -> None:
        row = await self.session.scalar(
            select(StaffSession).where(StaffSession.token_sha256 == sha256(token))
        )
        if row is not None:
            await self._revoke(StaffSession.id == row.id)
            # Who logs in anew is nobody yet, but the session that ends for it was someone's.
            own = AuditEventService(self.session, replace(self.actor, user_id=row.user_id))
            own.record("logout", self.resource, row, {})

    async def list_own(self) -> list[StaffSession]:
        statement = (
            select(StaffSession)
            .where(
                StaffSession.user_id == self.actor.user_id,
                StaffSession.revoked_at.is_(None),
                StaffSession.expires_at > func.clock_timestamp(),
            )
            .order_by(StaffSession.created_at.desc(), StaffSession.id.desc())
        )
        return list(await self.session.scalars(statement.limit(50)))

    @staticmethod
    def is_current(token: str | None) -> Callable[[StaffSession], bool]:
        """Tells the session of this token from the others."""
        digest = sha256(token) if token else b""
        return lambda row: row.token_sha256 == digest

    async def end(self, session_id: int) -> None:
        """End one of one's own sessions, or anyone's for who manages them."""
        row = await self.session.get(StaffSession, session_id)
        may = self.actor.may(Permission.SESSIONS_MANAGE)
        if row is None or not (may or row.user_id == self.actor.user_id):
            raise NotFound("There is no such session.")
        await self._revoke(StaffSession.id == row.id)
        self.audit.record("end", self.resource, row, {})

    async def end_others(self, user_id: int, keep_token: str | None) -> None:
        """After a change of password every other login of that user is over."""
        kept = sha256(keep_token) if keep_token else b""
        await self._revoke(StaffSession.user_id == user_id, StaffSession.token_sha256 != kept)

    async def _revoke(self, *which: ColumnElement[bool]) -> None:
        await self.session.execute(
            update(StaffSession)
            .where(StaffSession.revoked_at.is_(None), *which)
            .values(revoked_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )

    @staticmethod
    def _may_enter(user: User) -> bool:
        return user.is_active and user.deleted_at is None and user.role is not Role.MEMBER
