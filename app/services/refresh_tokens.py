"""Logins of the JSON API: short access tokens, and refresh tokens that are used once each.

A refresh token that is used a second time was stolen, or its answer was lost. Within a few
seconds the second use gets the same successor; later it ends the whole family (RFC 9700, 4.14).
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.access_tokens import AccessClaims, AccessTokens
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import database_now
from app.core.keys import SecretBox
from app.core.permissions import Permission
from app.core.security import sha256
from app.core.texts import lazy
from app.exceptions import Forbidden, NotFound, Unauthorized
from app.models import RefreshToken, User
from app.services.audit_events import AuditEventService
from app.services.credentials import hold_logins
from app.services.logins import may_enter
from app.services.staff_sessions import actor_of

GRACE = timedelta(seconds=10)
DISABLED = "This account is disabled."
SEND_REFRESH_TOKEN = "This access token is over. Send the refresh token to end its login."  # noqa: S105


@dataclass(frozen=True, slots=True)
class TokenPair:
    access_token: str
    refresh_token: str
    expires_in_s: int


class RefreshTokenService:
    resource = "refresh_tokens"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)
        self._access = AccessTokens(settings)
        self._box = SecretBox(settings, "refresh-successor")
        self._sliding = timedelta(days=settings.refresh_token_expire_days)
        self._absolute = timedelta(days=settings.refresh_token_expire_max_days)
        self._recent = timedelta(minutes=settings.reauthentication_minutes)

    def _own_audit(self, user_id: int) -> AuditEventService:
        """Events of the person whose token it is: the request itself was nobody's yet."""
        return AuditEventService(self.session, replace(self.actor, user_id=user_id))

    async def open(self, user: User, user_agent: str | None) -> TokenPair:
        """A new family, for someone who has proved who they are."""
        now = await database_now(self.session)
        row, token = self._new(user.id, uuid4(), now, user_agent)
        await self.session.flush()  # the audit event needs the token's id
        self._own_audit(user.id).record("login", self.resource, row, {"user": [None, user.email]})
        return self._pair(row, token)

    def _new(
        self, user_id: int, family_id: UUID, authenticated_at: datetime, user_agent: str | None
    ) -> tuple[RefreshToken, str]:
        token = secrets.token_urlsafe(32)
        row = RefreshToken(
            token_sha256=sha256(token),
            family_id=family_id,
            user_id=user_id,
            authenticated_at=authenticated_at,
            expires_at=func.least(
                func.clock_timestamp() + self._sliding, authenticated_at + self._absolute
            ),
            ip=self.actor.ip,
            user_agent=(user_agent or "")[:300].replace("\x00", "") or None,
        )
        self.session.add(row)
        return row, token

    def _pair(self, row: RefreshToken, token: str) -> TokenPair:
        claims = AccessClaims(row.user_id, row.family_id)
        return TokenPair(self._access.issue(claims), token, self._access.lifetime_s)

    async def rotate(self, token: str, user_agent: str | None) -> TokenPair | None:
        """The successor, ``None`` when the token is over. Raise ``Forbidden`` for disabled users.

        The end of a family is a write: callers commit it although they answer 401.
        """
        user = await self._hold_holder(token)
        if user is None:
            return None
        row, now = await self._locked(token)
        if row.expires_at <= now:
            return None
        if not may_enter(user):
            raise Forbidden(DISABLED)
        if row.revoked_at is not None:
            return None
        if row.used_at is None:
            return await self._succeed(row, now, user_agent)
        successor = self._box.open(row.successor) if row.successor else None
        if successor is not None and now - row.used_at <= GRACE:
            return self._pair(row, successor)
        await self._end_family(row)
        self._own_audit(row.user_id).record("reuse", self.resource, row, {})
        return None

    async def _hold_holder(self, token: str) -> User | None:
        """Whose token it is, as they are now; see ``hold_logins``."""
        holder: User | None = await self.session.scalar(
            select(User)
            .join(RefreshToken, RefreshToken.user_id == User.id)
            .where(RefreshToken.token_sha256 == sha256(token))
            .with_for_update(of=User, key_share=True)
            .execution_options(populate_existing=True)
        )
        return holder

    async def _locked(self, token: str) -> tuple[RefreshToken, datetime]:
        """The row, read after waiting for other uses of it, and the time."""
        found = await self.session.execute(
            select(RefreshToken, func.clock_timestamp())
            .where(RefreshToken.token_sha256 == sha256(token))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found.one()

    async def _succeed(self, row: RefreshToken, now: datetime, user_agent: str | None) -> TokenPair:
        fresh, token = self._new(row.user_id, row.family_id, row.authenticated_at, user_agent)
        row.used_at, row.successor = now, self._box.seal(token)
        await self.session.flush()
        return self._pair(fresh, token)

    async def end(self, token_id: int) -> None:
        """End the login that a token belongs to, for who manages sessions."""
        self.actor.require(Permission.SESSIONS_MANAGE)
        row = await self.session.get(RefreshToken, token_id)
        if row is None:
            raise NotFound(lazy("There is no such login."))
        await self._end_family(row)
        self.audit.record("end", self.resource, row, {})

    async def _end_family(self, row: RefreshToken) -> None:
        await hold_logins(self.session, row.user_id)
        await self.session.execute(
            update(RefreshToken)
            .where(RefreshToken.family_id == row.family_id, RefreshToken.revoked_at.is_(None))
            .values(revoked_at=func.clock_timestamp())
            .execution_options(synchronize_session=False)
        )

    async def log_out(self, refresh_token: str | None, access_token: str | None) -> None:
        """End the family of either token. A refresh token that is over is no error.

        Raise ``Unauthorized`` for an access token that no longer says which login to end.
        """
        claims = self._access.read(access_token) if access_token else None
        statement = select(RefreshToken).order_by(RefreshToken.id.desc()).limit(1)
        if refresh_token is not None:
            statement = statement.where(RefreshToken.token_sha256 == sha256(refresh_token))
        elif claims is not None:
            statement = statement.where(RefreshToken.family_id == claims.family_id)
        else:
            raise Unauthorized(SEND_REFRESH_TOKEN)
        row = await self.session.scalar(statement)
        if row is not None:
            await self._end_family(row)
            self._own_audit(row.user_id).record("logout", self.resource, row, {})

    async def recognise(self, access_token: str) -> Actor | None:
        """Who holds this access token, ``None`` when it is over.

        Raise ``Forbidden`` when its user is disabled. One query.
        """
        claims = self._access.read(access_token)
        if claims is None:
            return None
        live = select(func.max(RefreshToken.authenticated_at)).where(
            RefreshToken.family_id == claims.family_id,
            RefreshToken.user_id == User.id,
            RefreshToken.revoked_at.is_(None),
        )
        since = live.scalar_subquery()
        recent = since > func.clock_timestamp() - self._recent
        # ``recent`` is NULL where the family is over.
        found = await self.session.execute(select(User, recent).where(User.id == claims.user_id))
        match = found.one_or_none()
        if match is None:
            return None
        user, is_recent = match
        if not may_enter(user):
            raise Forbidden(DISABLED)
        request_id, ip = self.actor.request_id, self.actor.ip
        over = is_recent is None
        return None if over else actor_of(user, Via.API, request_id, ip, recent=is_recent)
