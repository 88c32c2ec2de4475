"""People and their passwords."""

from typing import Any

from pydantic import SecretStr
from sqlalchemy import Select, func, select

from app.core.database import database_now
from app.core.permissions import Permission, Role
from app.core.security import hash_password, verify_password
from app.core.texts import lazy, mark
from app.exceptions import Conflict, Forbidden, Invalid
from app.models import User
from app.schemas.base import PageQuery
from app.schemas.users import (
    LanguageChoice,
    PasswordChange,
    TimeZoneChoice,
    UserCreate,
    UserQuery,
    UserUpdate,
)
from app.services.audit_events import Changes, pending_changes
from app.services.base import BaseService
from app.services.credentials import end_credentials


class UserService(BaseService[User, UserCreate, UserUpdate]):
    model = User
    resource = "users"
    noun = mark("user")
    readable = Permission.USERS_READ
    writable = Permission.USERS_MANAGE
    deletable = Permission.USERS_MANAGE
    sorts = ("full_name", "created_at")
    default_sort = "full_name"
    filters = ("role", "is_active")
    conflicts = {  # noqa: RUF012  (declared as a class variable in the base)
        "uq_users_email_live": ("email", "There is already a user with the e-mail {row.email}.")
    }

    def owned(self) -> None:
        """Users are not owned; who may read users sees all of them."""

    def matching(self, query: PageQuery) -> Select[User]:
        statement = super().matching(query)
        wanted = query.has_second_factor if isinstance(query, UserQuery) else None
        if wanted is None:
            return statement
        is_on = User.totp_confirmed_at.is_not(None)
        return statement.where(is_on if wanted else ~is_on)

    async def values_for(self, data: UserCreate | UserUpdate) -> dict[str, Any]:
        values = await super().values_for(data)
        values.pop("confirm_password", None)
        password: SecretStr | None = values.pop("password", None)
        if password is not None:
            values["hashed_password"] = await hash_password(password.get_secret_value())
        if "email" in values:
            values["email"] = values["email"].lower()
        return values

    async def check(self, row: User) -> None:
        """Raise ``Forbidden`` for what nobody may do to their own account, ``Conflict`` for one
        that is to come back after its person was erased.
        """
        if row.is_erased and row.deleted_at is None:
            raise Conflict(lazy("This person was erased. Invite them anew."))
        if row.id is None or row.id != self.actor.user_id:
            return
        changed = pending_changes(row).keys()
        if {"role", "is_active"} & changed:
            raise Forbidden(lazy("You cannot change your own role or disable yourself."))
        if "deleted_at" in changed:
            raise Forbidden(lazy("You cannot remove yourself."))

    async def written(self, row: User, changes: Changes, note: str | None) -> None:
        """A lowered or raised role, and an account that is over, end the logins they gave.

        Raise ``Conflict`` where it was the last superuser.
        """
        if {"role", "is_active", "deleted_at"} & changes.keys() and row.row_version > 1:
            await end_credentials(self.session, row.id)
            await self._keep_a_superuser()

    async def _keep_a_superuser(self) -> None:
        """Checked after the change and under its locks, so that two removals cannot race."""
        await self.session.execute(select(func.pg_advisory_xact_lock(func.hashtext("superusers"))))
        statement = select(func.count()).where(
            User.role == Role.SUPERUSER, User.is_active, User.deleted_at.is_(None)
        )
        if not await self.session.scalar(statement):
            raise Conflict(lazy("This is the last superuser; there must always be one."))

    async def end_logins(self, user_id: int) -> None:
        """End every login of a person, tokens of the API too. Raise ``Forbidden``."""
        self.actor.require(Permission.SESSIONS_MANAGE)
        user = await self.get(user_id)
        await end_credentials(self.session, user.id)
        self.audit.record("end_all", "staff_sessions", user, {})

    async def change_own_password(
        self, data: PasswordChange, *, keep_token: str | None = None
    ) -> User:
        """Every other login ends. Raise ``Invalid`` when the current password is wrong."""
        user = await self._own(lock=True)
        valid, _ = await verify_password(
            data.current_password.get_secret_value(), user.hashed_password
        )
        if not valid:
            raise Invalid(lazy("The current password is not right."), field="current_password")
        user.hashed_password = await hash_password(data.password.get_secret_value())
        user.password_changed_at = await database_now(self.session)
        await self.save("change_password", user)
        await end_credentials(self.session, user.id, keep_token=keep_token)
        return user

    async def choose_time_zone(self, data: TimeZoneChoice) -> User:
        """In which one's own pages show moments; whatever else reads them gets UTC."""
        user = await self._own(lock=True)
        user.time_zone = data.time_zone
        await self.save("update", user)
        return user

    async def choose_language(self, data: LanguageChoice) -> User:
        """In which one's own pages speak; whatever else reads stays in English."""
        user = await self._own(lock=True)
        user.language = data.language
        await self.save("update", user)
        return user

    async def _own(self, *, lock: bool = False) -> User:
        statement = select(User).where(User.id == self.actor.user_id)
        user = await self.session.scalar(statement.with_for_update() if lock else statement)
        if user is None:
            raise Forbidden(lazy("Only a person who is logged in has an account."))
        return user

    async def get_for_link(self, user_id: int) -> User:
        """The person a link is for. Raise ``Conflict`` when it could not be used."""
        self.actor.require(self.writable)
        user = await self.get(user_id)
        if not user.is_active:
            raise Conflict(lazy("This account is disabled. Enable it first."))
        return user

    async def exists_any(self) -> bool:
        return await self.session.scalar(select(User.id).limit(1)) is not None
