"""Tools: something an agent can call, its arguments described by a JSON Schema."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from app.core.outbound import OutboundRefused, parsed
from app.core.texts import _
from app.models.tools import ToolKind
from app.schemas.base import (
    Flag,
    Input,
    JsonDict,
    Name,
    OptionalText,
    Output,
    PageQuery,
    Patch,
    RowId,
)


def valid_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Raise ``ValueError`` saying where the schema breaks JSON Schema 2020-12."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.path) or _("the top level")
        said = _(
            "is not a valid JSON Schema: %(why)s (at %(where)s)",
            why=error.message[:300],
            where=where,
        )
        raise ValueError(said) from error
    return schema


JsonSchema = Annotated[JsonDict, AfterValidator(valid_json_schema)]
EMPTY_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")
# What a connection sets itself; a tool that set them would speak for somebody else.
RESERVED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HttpMethod(StrEnum):
    """How a tool is called; GET and DELETE carry arguments in the address, the others as JSON."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


def callable_url(url: str) -> str:
    """Raise ``ValueError`` for what no tool could be called at."""
    if "{" in urlsplit(url).netloc or "{" in urlsplit(url).scheme:
        raise ValueError(_("may have {arguments} after the server's name only"))
    try:
        parsed(PLACEHOLDER.sub("x", url))
    except OutboundRefused as error:
        raise ValueError(_("is not an address of a tool: %(why)s", why=error.message)) from error
    return url


class ToolEndpoint(Input):
    """Where Greenroom calls a tool of kind http."""

    url: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
        AfterValidator(callable_url),
        Field(
            description="http or https; `{name}` in the path or query is filled with that argument."
        ),
    ]
    method: HttpMethod = HttpMethod.POST


def sendable_name(name: str) -> str:
    if name.lower() in RESERVED_HEADERS:
        raise ValueError(_("is set by the connection itself"))
    return name


def sendable_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= 4000):
        raise ValueError(_("must have 1 to 4,000 printable ASCII characters"))
    return value


HeaderName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"),
    AfterValidator(sendable_name),
]
HeaderValue = Annotated[SecretStr, AfterValidator(sendable_value)]


class ToolHeaders(Input):
    """All headers that are sent to the tool's endpoint. Values are never shown again."""

    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=20)]


class ToolCreate(Input):
    name: Name
    description: OptionalText = None
    kind: ToolKind = ToolKind.FUNCTION
    parameters: JsonSchema = EMPTY_SCHEMA
    endpoint: ToolEndpoint | None = Field(
        None, description="For kind http: where Greenroom calls it when it runs an agent."
    )
    is_active: Flag = True


class ToolUpdate(Patch):
    name: Name = ""
    description: OptionalText = None
    kind: ToolKind = ToolKind.FUNCTION
    parameters: JsonSchema = EMPTY_SCHEMA
    endpoint: ToolEndpoint | None = Field(
        None, description="A new server makes Greenroom forget the headers for the old one."
    )
    is_active: Flag = True


class ToolFilters(Input):
    kind: ToolKind | None = None
    """Tools of this kind."""
    is_active: bool | None = None
    """Those in use, or paused ones."""
    name: Name | None = None
    """The tool of this name."""
    user_id: RowId | None = None
    """Tools of this person."""


class ToolQuery(ToolFilters, PageQuery):
    """By name, unless it says otherwise."""


class ToolSummary(Output):
    id: int
    name: str


class ToolEndpointRead(Output):
    url: str
    method: HttpMethod


class ToolRead(Output):
    id: int
    user_id: int
    name: str
    description: str | None
    kind: ToolKind
    parameters: dict[str, Any]
    endpoint: ToolEndpointRead | None
    header_names: list[str]
    """Headers that are sent along; their values are never shown."""
    is_active: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
