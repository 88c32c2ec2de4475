"""Revisions: immutable snapshots of an agent's behaviour."""

from datetime import datetime
from typing import Any

from app.schemas.base import Output


class RevisionSummary(Output):
    number: int
    created_at: datetime


class RevisionRead(Output):
    number: int
    note: str | None
    created_by: int | None
    created_at: datetime
    snapshot: dict[str, Any]
