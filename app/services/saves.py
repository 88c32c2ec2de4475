"""What services hand on of rows that are changed and that were written."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from app.models.base import Base
from app.services.audit_events import Changes

M = TypeVar("M", bound=Base)
U = TypeVar("U", bound=BaseModel)


@dataclass(slots=True)
class Saved(Generic[M]):
    """A row that was written, what has changed in it, and why."""

    row: M
    changes: Changes
    note: str | None = None

    @property
    def version(self) -> int | None:
        """``None`` where rows of its kind have none."""
        return getattr(self.row, "row_version", None)


@dataclass(frozen=True, slots=True)
class Edit(Generic[U]):
    """What is to change in one row; ``version`` is the one that whoever asks has seen."""

    row_id: int
    data: U
    version: int | None = None
