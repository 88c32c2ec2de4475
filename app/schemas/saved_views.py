"""Saved views: what may be kept, and what is answered."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from app.models.saved_views import ListName
from app.schemas.base import Flag, Input, Output, PageQuery, Patch, ShortText, storable_text

MAX_FILTERS, MAX_VALUES, MAX_COLUMNS = 30, 50, 40


def each_a_list(value: object) -> object:
    """One text stands for a list of one."""
    if not isinstance(value, dict):
        return value
    return {name: [each] if isinstance(each, str) else each for name, each in value.items()}


ViewName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(storable_text),
]
Values = Annotated[list[ShortText], Field(min_length=1, max_length=MAX_VALUES)]
ViewFilters = Annotated[
    dict[Annotated[str, StringConstraints(max_length=40)], Values],
    BeforeValidator(each_a_list),
    Field(max_length=MAX_FILTERS),
]
ViewSort = Annotated[str, StringConstraints(max_length=40)]
ViewColumns = Annotated[
    list[Annotated[str, StringConstraints(max_length=40)]], Field(max_length=MAX_COLUMNS)
]


class SavedViewCreate(Input):
    resource: ListName
    """The list that it is a view of."""
    name: ViewName
    """Unique among your views of this list."""
    filters: ViewFilters = Field(default_factory=dict)
    """As the list's page has them in its address: `{"status": ["failed"], "range": ["24h"]}`."""
    sort: ViewSort = ""
    """Such as `-started_at`; empty: the usual order."""
    columns: ViewColumns = Field(default_factory=list)
    """Empty: the usual columns."""
    is_shared: Flag = False
    """Whether everyone in the back office sees it."""


class SavedViewUpdate(Patch):
    name: ViewName = ""
    filters: ViewFilters = Field(default_factory=dict)
    sort: ViewSort = ""
    columns: ViewColumns = Field(default_factory=list)
    is_shared: Flag = False


class SavedViewQuery(PageQuery):
    """``q`` finds a part of the name."""

    resource: ListName | None = None
    """Views of this list."""


class SavedViewRead(Output):
    id: int
    user_id: int
    resource: ListName
    name: str
    filters: dict[str, list[str]]
    sort: str
    columns: list[str]
    is_shared: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
