"""The audit log, read."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.core.actor import Via
from app.schemas.base import CursorQuery, Moment, RowId, Text, blank_to_none

Word = Annotated[Text, Field(max_length=64)]


class AuditQuery(CursorQuery):
    action: Annotated[Word | None, BeforeValidator(blank_to_none)] = None
    resource: Annotated[Word | None, BeforeValidator(blank_to_none)] = None
    resource_id: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    actor_user_id: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    via: Annotated[Via | None, BeforeValidator(blank_to_none)] = None
    since: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
