"""Logging in to the JSON API."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from app.core.permissions import Role
from app.schemas.base import Input, Output
from app.schemas.users import NewPassword

Given = Annotated[str, StringConstraints(max_length=1024)]
OpaqueToken = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class LoginRequest(Input):
    email: Given
    password: Annotated[SecretStr, Field(max_length=1024)]
    code: Annotated[str | None, Field(max_length=64)] = None
    """The second factor's code, where the account has one."""


class Tokens(Output):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    """Seconds until the access token is over."""


class RefreshRequest(Input):
    refresh_token: OpaqueToken


class LogoutRequest(Input):
    refresh_token: OpaqueToken | None = None
    """Absent: the login of the access token in the Authorization header ends."""


class PasswordForgotten(Input):
    email: Given


class PasswordReset(NewPassword):
    token: OpaqueToken


class Me(Output):
    """Who a request is made as, and what it may do."""

    user_id: int
    role: Role
    permissions: list[str]
    api_key_id: int | None
    agent_id: int | None
    """The only agent that the key may touch."""
    recently_authenticated: bool
