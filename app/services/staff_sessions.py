"""Logins: the cookie holds a signed opaque id, everything else is the row."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import ROLE_PERMISSIONS, Permission
from app.core.security import sha256
from app.core.texts import lazy
from app.exceptions import NotFound, Unauthorized
from app.models import InstanceSettings, StaffSession, User
from app.services.audit_events import AuditEventService
from app.services.logins import may_enter_back_office

SEEN_EVERY = timedelta(minutes=1)


def actor_of(
    user: User, via: Via, request_id: str | None, ip: str | None, *, recent: bool = False
) -> Actor:
    return Actor(
        user_id=user.id,
        role=user.role,
        permissions=ROLE_PERMISSIONS[user.role],
        via=via,
        request_id=request_id,
        ip=ip,
        recently_authenticated=recent,
    )


def is_alive(settings: Settings) -> tuple[ColumnElement[bool], ...]:
    """What holds of a session that is neither ended nor too old nor idle for too long."""
    now = func.clock_timestamp()
    return (
        StaffSession.revoked_at.is_(None),
        StaffSession.expires_at > now,
        # As it is set now: who came in under a longer time stays no longer than that either.
        StaffSession.created_at > now - timedelta(hours=settings.session_absolute_hours),
        StaffSession.last_seen_at > now - timedelta(minutes=settings.session_idle_minutes),
    )


@dataclass(frozen=True, slots=True)
class Recognised:
    """A live session, whether it was proven recently, and whether a second factor is missing."""

    row: StaffSession
    recent: bool
    must_enrol: bool


class StaffSessionService:
    """Open, recognise, renew, end. Expiry goes by the database's clock."""

    resource = "staff_sessions"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.audit = AuditEventService(session, actor)

    async def open(self, user: User, user_agent: str | None) -> str:
        """A new session's token, for someone who has proved who they are."""
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
        own = AuditEventService(self.session, replace(self.actor, user_id=user.id))
        own.record("login", self.resource, row, {"user": [None, user.email]})
        await self._end_oldest(user)
        return token

    async def renew(self, token: str) -> str:
        """The session goes on under a new token, as recently proven; the old token is over."""
        fresh = secrets.token_urlsafe(32)
        row = await self.session.scalar(
            update(StaffSession)
            .where(StaffSession.token_sha256 == sha256(token), StaffSession.revoked_at.is_(None))
            .values(token_sha256=sha256(fresh), reauthenticated_at=func.clock_timestamp())
            .returning(StaffSession)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        if row is None:
            raise Unauthorized(lazy("This session is over. Log in again."))
        self.audit.record("reauthenticate", self.resource, row, {})
        return fresh

    async def _end_oldest(self, user: User) -> None:
        kept = (
            select(StaffSession.id)
            .where(StaffSession.user_id == user.id, StaffSession.revoked_at.is_(None))
            .order_by(StaffSession.created_at.desc(), StaffSession.id.desc())
            .limit(self.settings.max_sessions_per_user)
        )
        await self._revoke(StaffSession.user_id == user.id, StaffSession.id.not_in(kept))

    async def recognise(self, token: str) -> Recognised | None:
        """The live session of this token with its user, in one query; ``None`` for any other."""
        recent = timedelta(minutes=self.settings.reauthentication_minutes)
        now = func.clock_timestamp()
        found = await self.session.execute(
            select(
                StaffSession,
                StaffSession.reauthenticated_at > now - recent,
                select(InstanceSettings.require_second_factor).scalar_subquery(),
            )
            .where(StaffSession.token_sha256 == sha256(token), *is_alive(self.settings))
            .options(joinedload(StaffSession.user))
        )
        row = found.one_or_none()
        if row is None or not may_enter_back_office(row[0].user):
            return None
        return Recognised(row[0], row[1], must_enrol=row[2] and not row[0].user.has_second_factor)

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

    async def list_of(self, user_id: int) -> list[StaffSession]:
        """The live sessions of oneself, or of anyone for who manages sessions."""
        self._require_over(user_id)
        statement = (
            select(StaffSession)
            .where(
                StaffSession.user_id == user_id,
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
        if row is None:
            raise NotFound(lazy("There is no such session."))
        self._require_over(row.user_id)
        await self._revoke(StaffSession.id == row.id)
        self.audit.record("end", self.resource, row, {})

    def _require_over(self, user_id: int) -> None:
        """Others' sessions are for who manages them; to the rest they do not exist."""
        if user_id != self.actor.user_id and not self.actor.may(Permission.SESSIONS_MANAGE):
            raise NotFound(lazy("There is no such session."))

    async def _revoke(self, *which: ColumnElement[bool]) -> None:
        await self.session.execute(
            update(StaffSession)
            .where(StaffSession.revoked_at.is_(None), *which)
            .values(revoked_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )
