"""Background jobs as they are listed and read."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.models.jobs import JobKind, JobStatus
from app.schemas.base import CursorQuery, Ids, Moment, Output, RowId, blank_to_none
from app.schemas.days import InTime


class JobQuery(CursorQuery):
    kind: JobKind | None = None
    """Jobs of this kind."""
    status: JobStatus | None = None
    """Jobs that stand here; `failed` are those that were given up."""
    agent_id: RowId | None = None
    """Jobs about this agent."""
    user_id: RowId | None = None
    """Jobs that this person asked for."""
    since: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
    """Asked for at this moment or later."""
    until: Annotated[Moment | None, BeforeValidator(blank_to_none)] = None
    """Asked for before this moment."""


class JobPageQuery(InTime, JobQuery):
    """Of the page, where deliveries of webhooks would drown the rest; they have pages too."""

    deliveries: bool = False
    """Those too that deliver webhooks."""
    ids: Ids = Field(default_factory=list)

    @property
    def hides_deliveries(self) -> bool:
        return not self.deliveries and self.kind is None


class JobSummary(Output):
    """``progress`` is 0 to 100; ``next_at`` is when a failed attempt is tried again."""

    id: int
    kind: str
    status: JobStatus
    progress: int
    message: str | None
    error: str | None
    agent_id: int | None
    user_id: int | None
    attempts: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_at: datetime | None


class JobRead(JobSummary):
    """With what it was asked to do and what came of it.

    ``request_id`` is that of the request that caused it: lines of the log carry it.
    """

    request_id: str | None
    params: dict[str, Any]
    result: Any | None
