"""Lists as files: their forms, and what the API may ask for."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from app.schemas.agents import AgentFilters
from app.schemas.base import Flag, Ids, Input, ShortText
from app.schemas.executions import ExecutionFilters
from app.schemas.tools import ToolFilters


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


class ListExport(Input):
    """All rows that the filters of the list match, in its order, or just those of ``ids``."""

    q: Annotated[ShortText | None, Field(description="Words in the name or description.")] = None
    sort: Annotated[
        str | None, Field(max_length=40, description="A field; - before it descends.")
    ] = None
    ids: Ids = Field(default_factory=list)
    format: ExportFormat = ExportFormat.JSONL
    """`csv`, or `jsonl`: one object on each line, as the list has it."""


class AgentExport(AgentFilters, ListExport):
    """What `import agents` takes again."""


class ToolExport(ToolFilters, ListExport):
    """What `import tools` takes again."""
