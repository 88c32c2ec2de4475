"""Changes of many rows: asked for, tried dry, and read row by row."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from app.models.bulk_changes import BulkAction, BulkOutcome, BulkResource
from app.schemas.agents import Note
from app.schemas.base import (
    MAX_PAGE_SIZE,
    Flag,
    Input,
    JsonDict,
    Output,
    RowId,
    blank_to_none,
    storable_text,
)

MAX_ROWS = 10_000
A = BulkAction
# What may be asked for; an undo is asked for at the change that it undoes.
Asked = Literal[
    A.PAUSE, A.RESUME, A.ADD_TAG, A.REMOVE_TAG, A.SET_MODEL, A.SET_MAX_TOKENS, A.TRASH, A.RESTORE
]
ACTIONS: dict[BulkResource, tuple[BulkAction, ...]] = {
    BulkResource.AGENTS: (
        A.PAUSE,
        A.RESUME,
        A.ADD_TAG,
        A.REMOVE_TAG,
        A.SET_MODEL,
        A.SET_MAX_TOKENS,
        A.TRASH,
        A.RESTORE,
    ),
    BulkResource.TOOLS: (A.PAUSE, A.RESUME, A.TRASH, A.RESTORE),
    BulkResource.EXECUTIONS: (A.ADD_TAG, A.REMOVE_TAG, A.TRASH, A.RESTORE),
}
VALUED = frozenset({A.ADD_TAG, A.REMOVE_TAG, A.SET_MODEL, A.SET_MAX_TOKENS})
Value = Annotated[
    str | None,
    BeforeValidator(blank_to_none),
    BeforeValidator(lambda value: storable_text(value) if isinstance(value, str) else value),
]


class BulkChangeCreate(Input):
    """Many rows, by `ids` or by the `filter` of their list, and one action."""

    resource: BulkResource
    action: Asked
    value: Annotated[Value, StringConstraints(max_length=200)] = None
    """The tag, the model, or the number of tokens."""
    ids: Annotated[list[RowId] | None, Field(min_length=1, max_length=MAX_ROWS)] = None
    """These rows."""
    filter: JsonDict | None = None
    """All rows that a list with these parameters has, such as `{"model": "gpt-4o"}`."""
    note: Note = None
    """Why; kept in the audit log with every row."""
    dry_run: Flag = True
    """Only say what would change; start it later with `/start`."""

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("say which rows by one of ids and filter")
        if self.filter is not None and self.action is BulkAction.RESTORE:
            raise ValueError("what is in the trash is picked by ids")
        if self.action not in ACTIONS[self.resource]:
            raise ValueError(f"{self.resource} cannot be changed by {self.action}")
        return self


class BulkChangeStart(Input):
    note: Note = None
    """Why, where the dry run did not say so already."""


class BulkChangeUndo(Input):
    dry_run: Flag = True
    """Only say what would be taken back; start it later with `/start`."""
    note: Note = None
    """Why; kept in the audit log with every row."""


class BulkRowQuery(Input):
    outcome: BulkOutcome | None = None
    """Only rows that this became of; `pending` are those that would change."""
    cursor: Annotated[str | None, Field(max_length=20)] = None
    """The `next_cursor` of the last answer."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 50
    """How many rows."""


class BulkCounts(Output):
    """How many rows there are of each outcome."""

    pending: int
    changed: int
    unchanged: int
    refused: int


class BulkChangeRead(Output):
    """`rows` says where its rows stand now; `would_change` what the dry run found."""

    id: int
    resource: BulkResource
    action: BulkAction
    value: str | None
    note: str | None
    selection: dict[str, Any]
    would_change: int
    already_so: int
    would_refuse: int
    rows: BulkCounts
    status: str
    """`dry_run`, or that of its job."""
    job_id: int | None
    undo_of_id: int | None
    user_id: int | None
    created_at: datetime
    started_at: datetime | None
    expires_at: datetime | None
    """When a dry run that nobody starts is dropped."""


class BulkChangeRowRead(Output):
    row_id: int
    label: str
    row_version: int | None
    outcome: BulkOutcome
    changes: dict[str, Any]
    """`{field: [old, new]}`"""
    reason: str | None
    """Why it was refused, or what is so already."""
