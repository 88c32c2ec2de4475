"""Time-based one-time passwords (RFC 6238) and the recovery codes for when the phone is lost."""

import secrets
from base64 import b32encode
from dataclasses import dataclass
from hmac import compare_digest

import pyotp
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import database_now
from app.core.keys import SecretBox
from app.core.permissions import Permission
from app.core.security import sha256
from app.core.texts import lazy
from app.exceptions import Conflict, Forbidden, Invalid, NotFound, WrongCode
from app.models import RecoveryCode, User
from app.services.audit_events import AuditEventService, pending_changes

STEP_S = 30
# A step before and after, as clocks differ: a code is good for up to 90 seconds.
DRIFT_STEPS = (0, -1, 1)
RECOVERY_CODES = 8
RECOVERY_BYTES = 15  # 120 bits: too many to guess, so a plain hash is enough
GROUP = 6
WRONG_CODE = "That code is not right, or it was used already."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret (base32), and the same as a URI for a QR code."""

    secret: str
    uri: str


def new_recovery_code() -> str:
    """24 base32 characters in groups of six."""
    text = b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    return "-".join(text[i : i + GROUP] for i in range(0, len(text), GROUP))


def normalised(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


class SecondFactorService:
    """Enrolment and checks. Secrets are encrypted at rest; no code is accepted twice."""

    resource = "users"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.audit = AuditEventService(session, actor)
        self._box = SecretBox(settings, "totp")

    async def begin(self) -> Enrolment:
        """A new secret for oneself, not yet in force. Raise ``Conflict`` when there is one."""
        user = await self._own()
        if user.has_second_factor:
            raise Conflict(
                lazy("You have a second factor already. Remove it first to set up another.")
            )
        secret = pyotp.random_base32()
        user.totp_secret, user.totp_last_step = self._box.seal(secret), None
        changes = pending_changes(user)
        await self.session.flush()
        self.audit.record("begin_second_factor", self.resource, user, changes)
        return self._enrolment(user, secret)

    async def pending(self) -> Enrolment | None:
        """The secret that waits for its first code."""
        user = await self._own()
        secret = self._box.open(user.totp_secret) if user.totp_secret else None
        return None if secret is None or user.has_second_factor else self._enrolment(user, secret)

    def _enrolment(self, user: User, secret: str) -> Enrolment:
        issuer = self.settings.project_name
        uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=issuer)
        return Enrolment(secret, uri)

    async def confirm(self, code: str) -> list[str]:
        """Put the pending secret in force; the recovery codes, which are in no other place.

        Raise ``Conflict`` when none is pending, ``Invalid`` when the code is wrong.
        """
        user = await self._own(lock=True)
        if user.has_second_factor or user.totp_secret is None:
            raise Conflict(lazy("There is no second factor to confirm. Start again."))
        if not await self._take_step(user, code):
            raise Invalid(WRONG_CODE, field="code")
        user.totp_confirmed_at = await database_now(self.session)
        await self.session.flush()
        self.audit.record("enable_second_factor", self.resource, user, {})
        return await self._replace_recovery_codes(user)

    async def verify(self, user: User, code: str) -> None:
        """Accept a code of the app or a recovery code, each once. Raise ``WrongCode``."""
        if await self._take_step(user, code):
            return
        if await self._take_recovery_code(user, code):
            left = await self.recovery_codes_left(user.id)
            self.audit.record("use_recovery_code", self.resource, user, {"left": [left + 1, left]})
            return
        raise WrongCode(WRONG_CODE)

    async def _take_step(self, user: User, code: str) -> bool:
        """Whether the code fits a step near now that no accepted code has used."""
        secret = self._box.open(user.totp_secret) if user.totp_secret else None
        if secret is None:
            return False
        now = await self.session.scalar(select(func.extract("epoch", func.clock_timestamp())))
        totp, given = pyotp.TOTP(secret), normalised(code)
        for step in (int(now or 0) // STEP_S + drift for drift in DRIFT_STEPS):
            if compare_digest(totp.at(step * STEP_S).encode(), given.encode()):
                return await self._use_step(user, step)
        return False

    async def _use_step(self, user: User, step: int) -> bool:
        used = await self.session.scalar(
            update(User)
            .where(
                User.id == user.id,
                or_(User.totp_last_step.is_(None), User.totp_last_step < step),
            )
            .values(totp_last_step=step, updated_at=User.updated_at)
            .returning(User.id)
            .execution_options(synchronize_session=False)
        )
        return used is not None

    async def _take_recovery_code(self, user: User, code: str) -> bool:
        used = await self.session.scalar(
            update(RecoveryCode)
            .where(
                RecoveryCode.user_id == user.id,
                RecoveryCode.code_sha256 == sha256(normalised(code)),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=func.clock_timestamp())
            .returning(RecoveryCode.id)
            .execution_options(synchronize_session=False)
        )
        return used is not None

    async def new_recovery_codes(self) -> list[str]:
        """Fresh codes for oneself; the old ones are over. Raise ``Conflict`` without a factor."""
        user = await self._own(lock=True)
        if not user.has_second_factor:
            raise Conflict(lazy("Set up a second factor first."))
        self.audit.record("new_recovery_codes", self.resource, user, {})
        return await self._replace_recovery_codes(user)

    async def _replace_recovery_codes(self, user: User) -> list[str]:
        await self._forget_codes(user)
        codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
        self.session.add_all(
            RecoveryCode(user_id=user.id, code_sha256=sha256(normalised(code))) for code in codes
        )
        await self.session.flush()
        return codes

    async def recovery_codes_left(self, user_id: int) -> int:
        statement = select(func.count()).where(
            RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
        )
        return await self.session.scalar(statement) or 0

    async def remove(self, user_id: int) -> User:
        """Take a second factor away: one's own, or anyone's for who manages users."""
        if user_id != self.actor.user_id and not self.actor.may(Permission.USERS_MANAGE):
            raise Forbidden(
                lazy(
                    "This needs the permission %(permission)s.", permission=Permission.USERS_MANAGE
                )
            )
        user = await self._user(user_id, lock=True)
        if not user.has_second_factor:
            raise Conflict(lazy("There is no second factor to remove."))
        user.totp_secret = user.totp_confirmed_at = user.totp_last_step = None
        await self.session.flush()
        await self._forget_codes(user)
        self.audit.record("remove_second_factor", self.resource, user, {})
        return user

    async def _forget_codes(self, user: User) -> None:
        await self.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))

    async def _own(self, *, lock: bool = False) -> User:
        if self.actor.user_id is None:
            raise Forbidden(lazy("Only a person who is logged in has an account."))
        return await self._user(self.actor.user_id, lock=lock)

    async def _user(self, user_id: int, *, lock: bool) -> User:
        statement = select(User).where(User.id == user_id, User.deleted_at.is_(None))
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        user = await self.session.scalar(statement)
        if user is None:
            raise NotFound(lazy("There is no such user."))
        return user
