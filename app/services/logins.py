"""Who someone says they are, proven: password first, then the second factor where there is one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Role
from app.core.security import sha256, verify_password
from app.core.texts import lazy
from app.exceptions import SecondFactorRequired, Unauthorized
from app.models import User
from app.services.audit_events import AuditEventService
from app.services.instance_settings import InstanceSettingsService
from app.services.login_attempts import LoginAttemptService
from app.services.second_factors import SecondFactorService

WRONG_CREDENTIALS = "That e-mail and password do not belong to an active account."
CODE_NEEDED = "This account has a second factor: send its code too."
ENROL_FIRST = "A second factor is required here. Log in on the web and set one up first."


def may_enter_back_office(user: User) -> bool:
    return may_enter(user) and user.role is not Role.MEMBER


def may_enter(user: User) -> bool:
    return user.is_active and user.deleted_at is None


class LoginService:
    """The checks that pages and the JSON API share; each edge then opens its own kind of session.

    Edges claim a ``LoginAttempt`` first; see ``app.api.attempts``.
    """

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self.settings = settings
        self.audit = AuditEventService(session, actor)

    async def check_password(self, email: str, password: str, *, back_office: bool) -> User:
        """The user. Raise ``Unauthorized`` saying nothing more.

        An unknown address costs the same time as a wrong password.
        """
        user = await self._find(email)
        valid, upgraded = await verify_password(password, user.hashed_password if user else None)
        enters = may_enter_back_office if back_office else may_enter
        if user is None or not valid or not enters(user):
            raise Unauthorized(WRONG_CREDENTIALS)
        if upgraded:
            await self._note(user, hashed_password=upgraded)
            # The second step names the hash that is stored now.
            set_committed_value(user, "hashed_password", upgraded)
        return user

    async def check_code(self, user: User, code: str) -> None:
        """Accept the second factor's code once. Raise ``Unauthorized``."""
        await SecondFactorService(self.session, self.actor, self.settings).verify(user, code)

    async def authenticate(self, email: str, password: str, code: str | None) -> User:
        """Password and code in one step, as the JSON API takes them.

        Raise ``Unauthorized`` when either is wrong, ``SecondFactorRequired`` when a code is
        missing, or when the instance asks staff for a factor that this account does not have.
        """
        user = await self.check_password(email, password, back_office=False)
        if user.has_second_factor:
            if not code:
                raise SecondFactorRequired(CODE_NEEDED)
            await self.check_code(user, code)
        elif user.role is not Role.MEMBER and await self.factor_required():
            raise SecondFactorRequired(ENROL_FIRST)
        return user

    async def check_own_password(self, user: User, password: str) -> None:
        """Prove anew who is asking. Raise ``Unauthorized``."""
        valid, _ = await verify_password(password, user.hashed_password)
        if not valid:
            raise Unauthorized(lazy("That is not your password."))

    @staticmethod
    def step_of(user: User) -> str:
        """Names the user and, by its hash's digest, the password that was right."""
        return f"{user.email}:{sha256(user.hashed_password or '').hex()}"

    async def user_of_step(self, step: str) -> User | None:
        """The user of ``step_of``, while the password is the same and they may enter."""
        user = await self._find(step.rpartition(":")[0])
        if user is None or not may_enter_back_office(user) or self.step_of(user) != step:
            return None
        return user

    async def _find(self, email: str) -> User | None:
        statement = select(User).where(
            func.lower(User.email) == email.lower(), User.deleted_at.is_(None)
        )
        user: User | None = await self.session.scalar(statement)
        return user

    async def give_back(self, attempt_ids: Sequence[int]) -> None:
        await LoginAttemptService(self.session, self.settings).give_back(attempt_ids)

    async def succeed(self, user: User, attempt_ids: Sequence[int]) -> None:
        """It was no guess: give the tries back and note the time.

        Raise ``Unauthorized`` when the password was changed, or the account ended, meanwhile.
        """
        await self._note(user, last_login_at=func.clock_timestamp())
        await self.give_back(attempt_ids)

    async def _note(self, user: User, **values: Any) -> None:  # columns, or SQL for them
        """Bookkeeping, not an edit: no new version, so that nobody's open form goes stale.

        Only while the account is as it was when the password was proven; it is then held, so that
        whoever ends its logins ends the one that follows too.
        """
        known = User.password_changed_at.is_not_distinct_from(user.password_changed_at)
        noted = await self.session.scalar(
            update(User)
            .where(User.id == user.id, known, User.is_active, User.deleted_at.is_(None))
            .values(updated_at=User.updated_at, **values)
            .returning(User.id)
            .execution_options(synchronize_session=False)
        )
        if noted is None:
            raise Unauthorized(WRONG_CREDENTIALS)

    async def factor_required(self) -> bool:
        settings = InstanceSettingsService(self.session, self.actor)
        return (await settings.current()).require_second_factor

    def record_refusal(self, email: str, action: str = "login_refused") -> None:
        self.audit.record(action, "users", None, {"email": [None, email[:254]]})
