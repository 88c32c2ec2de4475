"""Changes of many rows: asked for, tried dry, and read row by row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, model_validator

from app.core.permissions import Role
from app.models.bulk_changes import BulkAction, BulkOutcome, BulkResource
from app.schemas.agents import MaxTokens, ModelName, Note
from app.schemas.base import (
    MAX_PAGE_SIZE,
    CursorQuery,
    Flag,
    Input,
    JsonDict,
    Moment,
    Output,
    RowId,
    ShortText,
    Tag,
    blank_to_none,
)
from app.schemas.days import end_of_day

MAX_ROWS = 10_000
A = BulkAction
TAGGING = (A.ADD_TAG, A.REMOVE_TAG)
PAUSING = (A.PAUSE, A.RESUME)
TRASHING = (A.TRASH, A.RESTORE)
# What may be asked for; an undo is asked for at the change that it undoes.
ACTIONS: Mapping[BulkResource, tuple[BulkAction, ...]] = {
    BulkResource.AGENTS: (*PAUSING, *TAGGING, A.SET_MODEL, A.SET_MAX_TOKENS, *TRASHING),
    BulkResource.TOOLS: (*PAUSING, *TRASHING),
    BulkResource.EXECUTIONS: (*TAGGING, *TRASHING),
    BulkResource.USERS: (A.DISABLE, A.ENABLE, A.SET_ROLE, A.END_SESSIONS),
    BulkResource.API_KEYS: (*PAUSING, A.SET_EXPIRY, A.REVOKE),
    BulkResource.JOBS: (A.CANCEL, A.RETRY),
}
VALUES: Mapping[BulkAction, TypeAdapter[Any]] = {
    A.ADD_TAG: TypeAdapter(Tag),
    A.REMOVE_TAG: TypeAdapter(Tag),
    A.SET_MODEL: TypeAdapter(ModelName),
    A.SET_MAX_TOKENS: TypeAdapter(MaxTokens),
    A.SET_ROLE: TypeAdapter(Role),
    # A day is one in the zone of whoever says it, and the last on which the key works.
    A.SET_EXPIRY: TypeAdapter(Annotated[Moment, BeforeValidator(end_of_day)]),
}
# Nothing brings back what these take away.
FINAL = frozenset({A.REVOKE, A.END_SESSIONS, A.CANCEL, A.RETRY})
# Of them, those that have to be said in so many words before they are started.
CONFIRMED = frozenset({A.REVOKE})
# Who asks for these has to have proved a short while ago who they are.
SENSITIVE = frozenset({BulkResource.USERS})
Value = Annotated[ShortText | None, BeforeValidator(blank_to_none)]
Word = Annotated[str, StringConstraints(max_length=20)]
Confirmation = Annotated[Word | None, BeforeValidator(blank_to_none)]


class BulkChangeCreate(Input):
    """Many rows, by `ids` or by the `filter` of their list, and one action."""

    resource: BulkResource
    action: BulkAction
    value: Value = None
    """The tag, the model, the number of tokens, the role, or the moment."""
    ids: Annotated[list[RowId] | None, Field(min_length=1, max_length=MAX_ROWS)] = None
    """These rows."""
    filter: JsonDict | None = None
    """All rows that a list with these parameters has, such as `{"model": "gpt-4o"}`."""
    note: Note = None
    """Why; kept in the audit log with every row."""
    dry_run: Flag = True
    """Only say what would change; start it later with `/start`."""
    confirm: Confirmation = None
    """The name of the action, to start one at once that nothing can bring back: `revoke`."""

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
    confirm: Confirmation = None
    """The name of the action, for one that nothing can bring back: `revoke`."""


class BulkChangeUndo(Input):
    dry_run: Flag = True
    """Only say what would be taken back; start it later with `/start`."""
    note: Note = None
    """Why; kept in the audit log with every row."""


class BulkChangeQuery(CursorQuery):
    """Newest first, those too that were only tried dry."""

    resource: Annotated[BulkResource | None, BeforeValidator(blank_to_none)] = None
    """Changes of these rows."""
    action: Annotated[BulkAction | None, BeforeValidator(blank_to_none)] = None
    """Changes by this action."""
    user_id: Annotated[RowId | None, BeforeValidator(blank_to_none)] = None
    """Changes that this person asked for."""


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
