"""Imports of agents and tools: what a file may say, and what is to become of its rows."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from app.schemas.base import Output


class RowState(StrEnum):
    """What a row of the file means beside what is stored."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Mode(StrEnum):
    """Which rows are written."""

    CREATE = "create"
    UPDATE = "update"


class FieldChange(Output):
    """Old and new as they are shown, long ones cut."""

    field: str
    old: str
    new: str


class FieldError(Output):
    field: str
    message: str


class PlannedRow(Output):
    """``values`` are what the service is given; ``row_version`` is that of the preview."""

    line: int
    name: str
    state: RowState
    id: int | None = None
    row_version: int | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    tools: list[str] | None = None
    changes: list[FieldChange] = Field(default_factory=list)
    errors: list[FieldError] = Field(default_factory=list)
