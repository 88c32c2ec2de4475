"""Users, for superusers. A password can be given once, here; it is never shown or exported."""

from typing import ClassVar

from sqlalchemy import ColumnElement
from wtforms import BooleanField, EmailField, PasswordField, StringField

from app.admin.actions import TrashView
from app.admin.fields import EnumField
from app.admin.filters import YES_NO, Filter, choices_of
from app.admin.forms import RowForm
from app.core.permissions import Permission, Role
from app.core.texts import lazy
from app.models import User
from app.schemas.users import UserCreate, UserUpdate
from app.services.search import matches
from app.services.users import UserService


class NewUserForm(RowForm):
    email = EmailField(lazy("E-mail"))
    full_name = StringField(lazy("Full name"))
    role = EnumField(lazy("Role"), Role, default=Role.MEMBER)
    password = PasswordField(lazy("Password"), description=lazy("Empty: the account has none yet."))
    confirm_password = PasswordField(lazy("The password again"))


class UserForm(RowForm):
    email = EmailField(lazy("E-mail"))
    full_name = StringField(lazy("Full name"))
    role = EnumField(lazy("Role"), Role)
    is_active = BooleanField(lazy("Active"), description=lazy("Who is not active cannot come in."))


class UserView(TrashView, model=User):
    name, name_plural, icon = lazy("User"), lazy("Users"), "users"
    about = lazy("People: staff who log in here, and members who use the API.")
    service = UserService
    sensitive = True
    permissions: ClassVar[dict[str, Permission]] = {
        "list": Permission.USERS_READ,
        "details": Permission.USERS_READ,
        "export": Permission.USERS_READ,
        "create": Permission.USERS_MANAGE,
        "edit": Permission.USERS_MANAGE,
        "delete": Permission.USERS_MANAGE,
        "action:trash": Permission.USERS_MANAGE,
        "action:restore": Permission.USERS_MANAGE,
    }
    columns = ("id", "email", "full_name", "role", "is_active", "last_login_at", "created_at")
    more_columns = (
        "time_zone",
        "language",
        "password_changed_at",
        "totp_confirmed_at",
        "updated_at",
        "row_version",
    )
    labels: ClassVar[dict[str, str]] = {
        "email": lazy("E-mail"),
        "totp_confirmed_at": lazy("Second factor since"),
    }
    list_filters = (
        Filter("role", lazy("Role"), choices_of(Role)),
        Filter("is_active", lazy("Active"), YES_NO),
    )
    search_hint = lazy("Name or e-mail")
    create_form, edit_form = NewUserForm, UserForm
    create_schema, update_schema = UserCreate, UserUpdate

    def search_rule(self, term: str) -> ColumnElement[bool]:
        return matches(User.search, term)
