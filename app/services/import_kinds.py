"""What can be imported: the fields of a row, and the service that writes it."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.schemas.agents import AgentCreate, AgentRead, AgentUpdate
from app.schemas.base import Output
from app.schemas.tools import ToolCreate, ToolRead, ToolUpdate
from app.services.agents import AgentService
from app.services.base import BaseService
from app.services.import_files import Record
from app.services.tools import ToolService

Service = BaseService[Any, Any, Any]  # of one of the kinds
NOT_OF_THE_FILE = frozenset({"tool_ids", "note"})
JSON_CELLS = frozenset({"config", "parameters", "endpoint", "tags"})
# Cells of CSV that are empty text when they are empty; others then say nothing.
TEXT_CELLS = frozenset({"description", "system_prompt"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource whose rows are found by name."""

    create: type[BaseModel]
    update: type[BaseModel]
    read: type[Output]
    service: Callable[[AsyncSession, Actor, Settings], Service]
    has_tools: bool

    @property
    def fields(self) -> set[str]:
        """As the export names them."""
        own = {
            field.alias or name
            for name, field in self.create.model_fields.items()
            if name not in NOT_OF_THE_FILE
        }
        return own | ({"tools"} if self.has_tools else set())

    @property
    def ignored(self) -> set[str]:
        """What an export holds and the instance decides itself: ids, versions and times."""
        return {f.alias or name for name, f in self.read.model_fields.items()} - self.fields

    @property
    def columns(self) -> Collection[str]:
        return self.fields | self.ignored


KINDS = {
    "agents": Kind(
        AgentCreate,
        AgentUpdate,
        AgentRead,
        lambda session, actor, _: AgentService(session, actor),
        has_tools=True,
    ),
    "tools": Kind(ToolCreate, ToolUpdate, ToolRead, ToolService, has_tools=False),
}


def fields_of(kind: Kind, record: Record) -> dict[str, Any]:
    """The row's fields, cells of CSV as the values they stand for. Raise ``ValueError``."""
    values = {name: v for name, v in record.values.items() if name not in kind.ignored}
    if not record.is_text:
        return values
    given = {name: v for name, v in values.items() if v.strip() or name in TEXT_CELLS}
    return {name: cell_value(name, text) for name, text in given.items()}


def cell_value(name: str, text: str) -> Any:  # any JSON value
    if name not in JSON_CELLS or (name == "tags" and not text.lstrip().startswith("[")):
        return text.split(",") if name == "tags" else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: is not valid JSON") from error


def tool_names(given: Any) -> list[str]:  # any JSON value
    """``"a, b"``, ``["a", "b"]``, or ``[{"name": "a"}]`` as the API has it.

    Raise ``ValueError`` for anything else.
    """
    if isinstance(given, str):
        is_json = given.lstrip().startswith("[")
        given = json.loads(given) if is_json else given.replace(";", ",").split(",")
    if not isinstance(given, list):
        raise ValueError("tools: must be a list of names")  # noqa: TRY004  (one kind for callers)
    names = [item.get("name") if isinstance(item, dict) else item for item in given]
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) < len(names) or not all(text.isprintable() for text in texts):
        raise ValueError("tools: must be a list of names")
    return sorted({name.strip().lower() for name in texts if name.strip()})
