"""What an import would do: each row of a file beside what is stored. Nothing is written."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.texts import ENGLISH, lazy, speaking
from app.exceptions import AppError, Invalid
from app.models import Agent, Tool
from app.schemas.imports import FieldChange, FieldError, PlannedRow, RowState
from app.schemas.problems import field_of, in_words
from app.services.agents import owner_of
from app.services.import_files import Record, shown
from app.services.import_kinds import KINDS, Kind, Service, fields_of, tool_names
from app.services.tools import ToolService

SHOWN_CHARACTERS = 400
MAX_ERRORS = 10  # of a row
UNKNOWN_FIELD = "is no field of a row"
Stored = dict[str, list[Any]]  # rows by name; several owners may have one of a name


def as_text(value: Any) -> str:  # a column's value
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return shown(", ".join(value) or "none", SHOWN_CHARACTERS)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return shown(text, SHOWN_CHARACTERS)


class Planner:
    """Plans the rows of one file for one actor."""

    def __init__(
        self, session: AsyncSession, actor: Actor, settings: Settings, resource: str
    ) -> None:
        self.kind: Kind = KINDS[resource]
        self.service: Service = self.kind.service(session, actor, settings)
        self.tools = ToolBox(session, actor)
        self._actor, self._noun = actor, self.service.noun
        self._stored: Stored = {}
        self._lines: dict[str, int] = {}

    async def plan(self, records: Sequence[Record]) -> list[PlannedRow]:
        """Three queries, however many rows."""
        names = {name_of(record) for record in records}
        self._stored = await by_name(self.service, names)
        if self.kind.has_tools:
            await self.tools.load(named_tools(records))
        rows = []
        for record in records:
            await asyncio.sleep(0)  # others are served between the rows of a large file
            with speaking(ENGLISH):  # its errors are stored
                rows.append(await self._row(record))
        return rows

    async def _row(self, record: Record) -> PlannedRow:
        row = PlannedRow(
            line=record.line, name=shown(name_of(record) or "–", 100), state=RowState.REFUSED
        )
        try:
            await self._fill(row, record)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)[:MAX_ERRORS]
            row.errors = [as_error(field_of(problem), said_of(problem)) for problem in problems]
        except AppError as error:
            row.errors = [as_error(error.field or "", error.message)]
        except (ValueError, RecursionError) as error:
            field, _, message = str(error).rpartition(": ")
            row.errors = [as_error(field, message)]
        return row

    async def _fill(self, row: PlannedRow, record: Record) -> None:
        if record.problem:
            raise Invalid(record.problem)
        values = fields_of(self.kind, record)
        row.tools = tool_names(values.pop("tools")) if "tools" in values else None
        self._once(record)
        current = only(self._stored.get(name_of(record), []), self._actor, self._noun)
        data = (self.kind.create if current is None else self.kind.update).model_validate(values)
        sent = self._columns(data)
        row.values = data.model_dump(mode="json", exclude_unset=True, by_alias=True)
        if row.tools is not None:
            self.tools.ids(row.tools, current)
        await self.service.check(self._imagined(current, data, sent))
        if current is None:
            row.state = RowState.NEW
            return
        row.id, row.row_version = current.id, current.row_version
        row.changes = self._changes(current, sent, row.tools)
        row.state = RowState.CHANGED if row.changes else RowState.UNCHANGED

    def _once(self, record: Record) -> None:
        name = name_of(record)
        if name not in self._lines:
            self._lines[name] = record.line
        elif name:
            text = lazy(
                "is on line %(first)s too; each name may be there once", first=self._lines[name]
            )
            raise Invalid(text, field="name")

    def _columns(self, data: BaseModel) -> dict[str, Any]:
        sent = {name: getattr(data, name) for name in data.model_fields_set}
        if sent.get("endpoint") is not None:
            sent["endpoint"] = sent["endpoint"].model_dump(mode="json")
        return sent

    def _imagined(self, current: Any, data: BaseModel, sent: dict[str, Any]) -> Any:  # a model
        """The row as it would be, for the rules over all of it; it belongs to no session."""
        fields = [name for name in type(data).model_fields if self.service.has_column(name)]
        source = data if current is None else current
        values = {name: getattr(source, name) for name in fields} | sent
        return self.service.model(**{n: v for n, v in values.items() if n in fields})

    @staticmethod
    def _changes(current: Any, sent: dict[str, Any], tools: list[str] | None) -> list[FieldChange]:
        pairs = {name: (getattr(current, name), new) for name, new in sent.items()}
        if tools is not None:
            pairs["tools"] = (sorted(tool.name for tool in current.tools), tools)
        return [
            FieldChange(field=name, old=as_text(old), new=as_text(new))
            for name, (old, new) in sorted(pairs.items())
            if old != new
        ]


def name_of(record: Record) -> str:
    """As it is stored, where it can be a name at all."""
    name = record.values.get("name")
    return name.strip().lower()[:101] if isinstance(name, str) else ""


def as_error(field: str, message: str) -> FieldError:
    return FieldError(field=shown(field, 100), message=shown(message))


def said_of(problem: ErrorDetails) -> str:
    return UNKNOWN_FIELD if problem["type"] == "extra_forbidden" else in_words(problem)


def named_tools(records: Iterable[Record]) -> set[str]:
    found: set[str] = set()
    for record in records:
        try:
            found |= set(tool_names(record.values.get("tools") or []))
        except (ValueError, RecursionError):
            continue  # said beside the row
    return found


async def by_name(service: Service, names: Iterable[str]) -> Stored:
    """The visible rows of these names, with what their answers show."""
    plain = [name for name in names if name.isascii() and name.isprintable()]
    statement = service.visible().where(service.model.name.in_(plain)).options(*service.loads())
    stored: Stored = {}
    for row in await service.session.scalars(statement.order_by(service.model.id)):
        stored.setdefault(row.name, []).append(row)
    return stored


def only(rows: Sequence[Any], actor: Actor, noun: str) -> Any:  # a row, or None
    """One's own of the name, else the only one. Raise ``Invalid`` for several of others."""
    own = [row for row in rows if row.user_id == actor.user_id]
    if own or len(rows) < 2:
        return (own or [*rows, None])[0]
    ids = ", ".join(str(row.id) for row in rows[:5])
    raise Invalid(
        lazy("Several people have a %(noun)s of this name (ids %(ids)s)", noun=noun, ids=ids),
        field="name",
    )


class ToolBox:
    """The tools that agents of a file name."""

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self._service = ToolService(session, actor)
        self._found: Stored = {}

    async def load(self, names: Iterable[str]) -> None:
        self._found = await by_name(self._service, names)

    def ids(self, names: Sequence[str], agent: Agent | None) -> list[int]:
        """Those it has already first. Raise ``Invalid`` for a name that is none or several."""
        had = {} if agent is None else {tool.name: tool.id for tool in agent.tools}
        return [had.get(name) or self._one(name, agent).id for name in names]

    def _one(self, name: str, agent: Agent | None) -> Tool:
        owner = None if agent is None else owner_of(agent)
        tools = [t for t in self._found.get(name, []) if owner in (None, t.user_id)]
        own = [t for t in tools if agent is not None and t.user_id == agent.user_id]
        found: Tool | None = only(own or tools, self._service.actor, "tool")
        if found is None:
            raise Invalid(
                lazy("There is no tool %(shown)s: import the tools first", shown=shown(name)),
                field="tools",
            )
        return found
