"""Lists as files: their forms, and what the API may ask for."""

from enum import StrEnum

from pydantic import Field

from app.schemas.base import Flag, Ids
from app.schemas.executions import ExecutionFilters


class ExportFormat(StrEnum):
    """Rows for a spreadsheet, or one JSON object on each line."""

    CSV = "csv"
    JSONL = "jsonl"


class ExecutionExport(ExecutionFilters):
    """All runs that the filters of the list match, or just those of ``ids``."""

    ids: Ids = Field(default_factory=list)
    format: ExportFormat = ExportFormat.JSONL
    """`csv`, or `jsonl`: one object on each line, as the list has it."""
    bodies: Flag = False
    """With `jsonl`: `input`, `output`, `error` and `metadata` too."""
