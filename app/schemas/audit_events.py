"""The audit log, read."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from app.core.actor import Via
from app.schemas.base import CursorQuery, Input, Moment, Output, RowId, Text, blank_to_none
from app.schemas.days import InTime, start_of_day

Word = Annotated[Text, Field(max_length=64)]
OptionalWord = Annotated[Word | None, BeforeValidator(blank_to_none)]
OptionalId = Annotated[RowId | None, BeforeValidator(blank_to_none)]
OptionalMoment = Annotated[Moment | None, BeforeValidator(start_of_day)]


class AuditFilters(Input):
    action: OptionalWord = None
    """What was done, such as `update`."""
    resource: OptionalWord = None
    """To what, such as `agents`."""
    resource_id: OptionalId = None
    """To the row of this id."""
    actor_user_id: OptionalId = None
    """By this person."""
    actor_api_key_id: OptionalId = None
    """By this key."""
    via: Annotated[Via | None, BeforeValidator(blank_to_none)] = None
    """Through which door."""
    request_id: OptionalWord = None
    """In this request."""
    ip: OptionalWord = None
    """From this address."""
    since: OptionalMoment = None
    """At this moment or later."""
    until: OptionalMoment = None
    """Before this moment."""


class AuditQuery(AuditFilters, CursorQuery):
    """The events that match, newest first."""


class AuditPageQuery(InTime, AuditQuery):
    """Of the page, which knows ranges up to now, and days."""

    batches: Annotated[Literal["shown"] | None, BeforeValidator(blank_to_none)] = None
    """What machines send all day hides what people do: it is left out unless it is asked for."""

    @property
    def hides_batches(self) -> bool:
        narrowed = (self.action, self.resource, self.actor_api_key_id, self.request_id, self.ip)
        return self.batches is None and not any(narrowed)


class AuditEventRead(Output):
    id: int
    at: datetime
    actor_user_id: int | None
    actor_api_key_id: int | None
    via: Via
    action: str
    resource: str
    resource_id: int | None
    label: str | None
    changes: dict[str, Any]
    """``{field: [old, new]}``; secrets only say that they changed."""
    reason: str | None
    request_id: str | None
    ip: str | None
