"""Tools: something an agent can call, its arguments described by a JSON Schema."""

from datetime import datetime
from typing import Annotated, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator

from app.models.tools import ToolKind
from app.schemas.base import Flag, Input, JsonDict, Name, OptionalText, Output, PageQuery, Patch


def valid_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Raise ``ValueError`` saying where the schema breaks JSON Schema 2020-12."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.path) or "the top level"
        raise ValueError(
            f"is not a valid JSON Schema: {error.message[:300]} (at {where})"
        ) from error
    return schema


JsonSchema = Annotated[JsonDict, AfterValidator(valid_json_schema)]
EMPTY_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}


class ToolCreate(Input):
    name: Name
    description: OptionalText = None
    kind: ToolKind = ToolKind.FUNCTION
    parameters: JsonSchema = EMPTY_SCHEMA
    is_active: Flag = True


class ToolUpdate(Patch):
    name: Name = ""
    description: OptionalText = None
    kind: ToolKind = ToolKind.FUNCTION
    parameters: JsonSchema = EMPTY_SCHEMA
    is_active: Flag = True


class ToolQuery(PageQuery):
    kind: ToolKind | None = None
    """Tools of this kind."""
    is_active: bool | None = None
    """Those in use, or paused ones."""
    name: Name | None = None
    """The tool of this name."""


class ToolSummary(Output):
    id: int
    name: str


class ToolRead(Output):
    id: int
    user_id: int
    name: str
    description: str | None
    kind: ToolKind
    parameters: dict[str, Any]
    is_active: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
