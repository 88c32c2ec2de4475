"""Users and their passwords."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, SecretStr, model_validator

from app.core.permissions import Role
from app.core.security import common_passwords
from app.core.texts import _, catalogues
from app.core.zones import zone_names
from app.schemas.base import (
    Flag,
    Input,
    Output,
    PageQuery,
    Patch,
    ShortText,
    blank_to_none,
    storable_text,
)

MIN_PASSWORD, MAX_PASSWORD = 8, 128


def strong_enough(secret: SecretStr) -> SecretStr:
    """Raise ``ValueError`` with the rule that the password breaks, never with the password."""
    password = storable_text(secret.get_secret_value())
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise ValueError(
            _("must have %(least)s to %(most)s characters", least=MIN_PASSWORD, most=MAX_PASSWORD)
        )
    if not any(letter.isupper() for letter in password):
        raise ValueError(_("must contain an upper-case letter"))
    if not any(letter.isdigit() for letter in password):
        raise ValueError(_("must contain a digit"))
    if password.lower() in common_passwords():
        raise ValueError(_("is on the list of common passwords; choose another"))
    return secret


Password = Annotated[SecretStr, AfterValidator(strong_enough)]
Email = Annotated[EmailStr, Field(max_length=254)]
FullName = Annotated[ShortText, Field(min_length=1)]


class UserCreate(Input):
    email: Email
    full_name: FullName
    role: Role = Role.MEMBER
    password: Password | None = None
    confirm_password: SecretStr | None = None

    @model_validator(mode="after")
    def _passwords_match(self) -> Self:
        if self.password and self.confirm_password not in (None, self.password):
            raise ValueError(_("the two passwords do not match"))
        return self


class UserUpdate(Patch):
    email: Email = ""
    full_name: FullName = ""
    role: Role = Role.MEMBER
    is_active: Flag = True


class NewPassword(Input):
    password: Password
    confirm_password: SecretStr

    @model_validator(mode="after")
    def _passwords_match(self) -> Self:
        if self.password != self.confirm_password:
            raise ValueError(_("the two passwords do not match"))
        return self


class PasswordChange(NewPassword):
    current_password: SecretStr


def known_zone(name: str) -> str:
    """Raise ``ValueError`` for what the IANA database does not name."""
    if name not in zone_names():
        raise ValueError(_("is not a time zone; choose one of the list, such as Europe/Berlin"))
    return name


class TimeZoneChoice(Input):
    time_zone: Annotated[ShortText, Field(max_length=64), AfterValidator(known_zone)]


def known_language(tag: str | None) -> str | None:
    """Raise ``ValueError`` for one without a catalogue."""
    if tag is not None and tag not in catalogues():
        raise ValueError(_("is not installed here; choose one of the list"))
    return tag


class LanguageChoice(Input):
    """Empty: as the browser asks."""

    language: Annotated[
        ShortText | None,
        Field(max_length=35),
        BeforeValidator(blank_to_none),
        AfterValidator(known_language),
    ]


class UserInvite(Input):
    email: Email
    full_name: FullName
    role: Role = Role.MEMBER


class UserQuery(PageQuery):
    role: Role | None = None
    """People of this role."""
    is_active: bool | None = None
    """Enabled ones, or disabled ones."""
    has_second_factor: bool | None = None
    """People with a second factor, or without."""


class UserRead(Output):
    id: int
    email: str
    full_name: str
    role: Role
    is_active: bool
    has_second_factor: bool
    last_login_at: datetime | None
    password_changed_at: datetime | None
    row_version: int
    created_at: datetime
    updated_at: datetime


class UserInvited(UserRead):
    """``link`` only where no mail server is configured: pass it on yourself; it works once."""

    mail_sent: bool
    link: str | None = None


class LinkSent(Output):
    """``link`` only where no mail server is configured: pass it on yourself; it works once."""

    mail_sent: bool
    link: str | None = None
