"""API keys: what may be asked for; the secret is in one answer only."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from app.core.permissions import KEY_SCOPES, Permission
from app.schemas.base import Input, Moment, Output, PageQuery, Patch, RowId, storable_text


def known_scopes(scopes: list[Permission]) -> list[Permission]:
    """Raise ``ValueError`` naming what a key may not have, and what it may."""
    refused = [scope for scope in scopes if scope not in KEY_SCOPES]
    if refused:
        raise ValueError(
            f"a key cannot have {', '.join(refused)}; allowed: {', '.join(KEY_SCOPES)}"
        )
    return sorted(set(scopes))


KeyName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(storable_text),
]


class ApiKeyCreate(Input):
    name: KeyName
    scopes: Annotated[
        list[Permission], Field(min_length=1, max_length=50), AfterValidator(known_scopes)
    ]
    agent_id: RowId | None = None
    expires_at: Moment | None = None


class ApiKeyUpdate(Patch):
    name: KeyName = ""


class ApiKeyQuery(PageQuery):
    user_id: RowId | None = None


class ApiKeyRead(Output):
    id: int
    user_id: int
    name: str
    prefix: str
    scopes: list[str]
    agent_id: int | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class ApiKeyCreated(ApiKeyRead):
    """The one answer that holds the whole key."""

    key: str
