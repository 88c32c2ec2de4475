"""The audit log, read."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.core.actor import Via
from app.schemas.base import CursorQuery, Moment, RowId, blank_to_none


class AuditQuery(CursorQuery):
    action: Annotated[str | None, BeforeValidator(blank_to_none), Field(max_length=64)] = None
    resource: Annotated[str | None, BeforeValidator(blank_to_none), Field(max_length=64)] = None
    resource_id: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    actor_user_id: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    via: Annotated[Via | None, BeforeValidator(blank_to_none)] = None
    since: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
