"""Bounded building blocks of every schema, and the shapes of lists."""

import json
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from app.core.texts import _

T = TypeVar("T")
MAX_BIGINT = 2**63 - 1
MAX_INT = 2**31 - 1
MAX_JSON_DEPTH = 64
MAX_JSON_NUMBER = 10**300
MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_PAGE_SIZE = 100
MAX_TAGS = 50
WRITTEN_OUT = re.compile(r"\d{4}-\d\d-\d\d[T ]")


def storable_text(value: str) -> str:
    """PostgreSQL stores no NUL and no lone surrogate; say so instead of failing later."""
    if "\x00" in value:
        raise ValueError(_("must not contain NUL characters"))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(_("must be valid Unicode (it has a lone surrogate)")) from error
    return value


def check_scalar(value: Any) -> None:  # a JSON value that holds no others
    if isinstance(value, str):
        storable_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(_("must not contain NaN or infinite numbers"))
    elif isinstance(value, int) and abs(value) > MAX_JSON_NUMBER:
        raise ValueError(_("must not contain numbers beyond 1e300"))


def check_json(value: Any, depth: int = 0) -> None:  # any JSON value
    """Raise ``ValueError`` for what PostgreSQL's jsonb cannot hold, or is nested too deep."""
    if depth > MAX_JSON_DEPTH:
        said = _("must not be nested deeper than %(levels)s levels", levels=MAX_JSON_DEPTH)
        raise ValueError(said)
    check_scalar(value)
    if isinstance(value, dict):
        for key in value:
            check_scalar(key)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            check_json(item, depth + 1)


def storable_json(value: Any) -> Any:  # any JSON value
    check_json(value)
    if len(json.dumps(value)) > MAX_JSON_BYTES:
        raise ValueError(_("must not be larger than %(count)s bytes of JSON", count=MAX_JSON_BYTES))
    return value


def written_out(value: object) -> object:
    """Numbers would be taken for seconds or milliseconds, whichever seems to fit."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not WRITTEN_OUT.match(value):
        raise ValueError(_("must be a date and time such as 2026-01-31T12:00:00Z"))
    return value


def no_number(value: object) -> object:
    """0 and 1 are numbers to clients; forms and addresses send words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(_("must be true or false"))  # noqa: TRY004  (what pydantic catches)
    return value


def no_flag(value: object) -> object:
    """And true is no number."""
    if isinstance(value, bool):
        raise ValueError(_("must be a number"))  # noqa: TRY004  (what pydantic catches)
    return value


def blank_to_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def words_to_list(value: object) -> object:
    """``?status=a&status=b`` and ``?status=a,b`` alike; empty values are no filter."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return value
    return [part for item in value for part in str(item).split(",") if part]


def plain_name(value: str) -> str:
    """Names are typed, said and put in URLs, so they keep to plain characters."""
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in value):
        raise ValueError(_("may have letters, digits, - and _ only"))
    return value


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=3, max_length=100),
    AfterValidator(plain_name),
    # For clients: the same rule as a pattern.
    WithJsonSchema(
        {"type": "string", "minLength": 3, "maxLength": 100, "pattern": "^[A-Za-z0-9_-]+$"}
    ),
]
Text = Annotated[str, AfterValidator(storable_text)]
ShortText = Annotated[str, StringConstraints(max_length=200), AfterValidator(storable_text)]
LongText = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(storable_text)]
OptionalText = Annotated[LongText | None, BeforeValidator(blank_to_none)]
Flag = Annotated[bool, BeforeValidator(no_number)]
RowId = Annotated[int, BeforeValidator(no_flag), Field(ge=1, le=MAX_BIGINT)]
Count = Annotated[int, BeforeValidator(no_flag), Field(ge=0, le=MAX_BIGINT)]
OverlapHours = Annotated[int, BeforeValidator(no_flag), Field(ge=0, le=168)]
Tag = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64),
    AfterValidator(storable_text),
]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS)]
Json = Annotated[Any, AfterValidator(storable_json)]  # any JSON value, bounded
Ids = Annotated[
    list[RowId],
    BeforeValidator(words_to_list),
    Field(
        max_length=MAX_PAGE_SIZE,
        description="Just these rows, in one answer; `missing` names those that are not there.",
    ),
]
JsonDict = Annotated[dict[str, Any], AfterValidator(storable_json)]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime.fromisoformat("1970-01-01T00:00:00+00:00")),
    BeforeValidator(written_out),
]


# A field of an answer that is absent, rather than null, where there is nothing to say.
Left = Annotated[T | None, Field(exclude_if=lambda value: value is None)]


# Plain digits, never an exponent: what a small cost would be written with otherwise.
Amount = Annotated[
    Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")
]


class Input(BaseModel):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


def drop_defaults(schema: dict[str, Any]) -> None:
    """A partial update has no defaults: a field that is not sent stays as it is."""
    for described in schema.get("properties", {}).values():
        described.pop("default", None)


class Patch(Input):
    """Only the fields that are sent change; the defaults in the class are never stored."""

    model_config = ConfigDict(json_schema_extra=drop_defaults)


class Output(BaseModel):
    """What a client gets: only what is declared, read from rows."""

    model_config = ConfigDict(
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


# For models over others. Pydantic would look for the docstrings anew for each ``Page[…]``, which
# takes a third of the time that the product needs to start: their fields say what they mean.
NO_DOCSTRINGS = ConfigDict(use_attribute_docstrings=False)
Missing = Annotated[
    Left[list[int]],
    Field(
        description="Of the ``ids`` asked for, those that do not exist, do not match, or are not "
        "yours to see."
    ),
]


def refuse_pages_of_ids(query: Any, *fields: str) -> None:  # a query with ``ids``
    """Raise ``ValueError`` where ``ids`` come with a place in a list."""
    if query.ids and query.model_fields_set & set(fields):
        raise ValueError(f"ids are answered all at once: leave out {', '.join(fields)}")


class PageQuery(Input):
    """The numbered page of a small list; ``skip`` and ``limit`` say the same in other words."""

    q: Annotated[ShortText | None, Field(description="Words in the name or description.")] = None
    sort: Annotated[
        str | None, Field(max_length=40, description="A field; - before it descends.")
    ] = None
    page: Annotated[int, Field(ge=1, le=MAX_INT)] = 1
    """The page, from 1."""
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 20
    """Rows on a page."""
    skip: Annotated[int | None, Field(ge=0, le=MAX_INT)] = None
    """Instead of `page`: how many rows to leave out first."""
    limit: Annotated[int | None, Field(ge=1, le=MAX_PAGE_SIZE)] = None
    """Instead of `page_size`: how many rows."""
    ids: Ids = Field(default_factory=list)

    @model_validator(mode="after")
    def _all_at_once(self) -> Self:
        refuse_pages_of_ids(self, "page", "page_size", "skip", "limit")
        for one, other in (("page", "skip"), ("page_size", "limit")):
            if {one, other} <= self.model_fields_set and getattr(self, other) is not None:
                raise ValueError(f"{one} and {other} say the same: use one of the two")
        return self

    @property
    def offset(self) -> int:
        return self.skip if self.skip is not None else (self.page - 1) * self.size

    @property
    def size(self) -> int:
        if self.ids:
            return MAX_PAGE_SIZE
        return self.limit if self.limit is not None else self.page_size


class Page(Output, Generic[T]):
    """One numbered page and what there is in all."""

    model_config = NO_DOCSTRINGS

    items: list[T]
    total: Annotated[
        int,
        Field(
            description="How many rows there are; at least so many where ``total_is_exact`` "
            "is false."
        ),
    ]
    total_is_exact: Annotated[
        bool, Field(description="False beyond 10,000 rows, until the last page.")
    ]
    page: int
    page_size: int
    pages: Annotated[
        int,
        Field(
            description="As many as ``total`` fills: while there are more rows, at least one more "
            "than ``page``."
        ),
    ]
    missing: Missing = None


class CursorQuery(Input):
    """The next rows of a big list: pass the last answer's ``next_cursor``."""

    cursor: Annotated[str | None, Field(max_length=500)] = None
    """The `next_cursor` of the last answer; absent: from the newest."""
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 50
    """How many rows."""


class CursorPage(Output, Generic[T]):
    """Some rows, and where the next ones start (absent at the end)."""

    model_config = NO_DOCSTRINGS

    items: list[T]
    next_cursor: str | None
    missing: Missing = None
