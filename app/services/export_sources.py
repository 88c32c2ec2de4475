"""What can be exported: each resource as its list shows it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Row, Text, cast, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, ExecutionBody
from app.schemas.agents import AgentQuery, AgentRead
from app.schemas.api_keys import ApiKeyQuery, ApiKeyRead
from app.schemas.base import Output, PageQuery
from app.schemas.executions import ExecutionQuery, ExecutionRead
from app.schemas.exports import ExportFormat
from app.schemas.jobs import JobPageQuery, JobSummary
from app.schemas.tools import ToolQuery, ToolRead
from app.schemas.users import UserQuery, UserRead
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService
from app.services.base import BaseService
from app.services.executions import ExecutionService
from app.services.exports import Export, Part
from app.services.jobs import JobService
from app.services.tools import ToolService
from app.services.users import UserService

BODIES = select(
    ExecutionBody.execution_id,
    cast(ExecutionBody.input, Text),
    cast(ExecutionBody.output, Text),
    ExecutionBody.error,
    cast(ExecutionBody.details, Text),
)
NO_BODY = ("null", "null", None, "null")


def columns_of(schema: type[BaseModel]) -> list[str]:
    return [field.serialization_alias or name for name, field in schema.model_fields.items()]


def listed(
    kind: type[BaseService[Any, Any, Any]],  # any resource's
    actor: Actor,
    schema: type[Output],
    query: PageQuery,
) -> Export:
    """A list that comes by ``list_slice``.

    Raise ``Invalid`` for an order that it does not have, while that can still be answered.
    """
    kind.sorting(query.sort)

    async def read(session: AsyncSession, cursor: str | None, limit: int) -> Part:
        found = await kind(session, actor).list_slice(query, cursor, limit)
        rows = [schema.model_validate(row).model_dump_json() for row in found.items]
        return Part(rows, found.next_cursor)

    return Export(kind.resource, columns_of(schema), query, read)


def agents(actor: Actor, query: AgentQuery) -> Export:
    return listed(AgentService, actor, AgentRead, query)


def tools(actor: Actor, query: ToolQuery) -> Export:
    return listed(ToolService, actor, ToolRead, query)


def users(actor: Actor, query: UserQuery) -> Export:
    return listed(UserService, actor, UserRead, query)


def api_keys(actor: Actor, query: ApiKeyQuery) -> Export:
    """Without a secret: none is kept."""
    return listed(ApiKeyService, actor, ApiKeyRead, query)


def jobs(actor: Actor, query: JobPageQuery, order: str | None = None) -> Export:
    async def read(session: AsyncSession, cursor: str | None, limit: int) -> Part:
        asked = query.model_copy(update={"cursor": cursor, "limit": limit})
        found = await JobService(session, actor).list_jobs(asked, order)
        rows = [JobSummary.model_validate(row).model_dump_json() for row in found.items]
        return Part(rows, found.next_cursor)

    return Export(JobService.resource, columns_of(JobSummary), query, read)


@dataclass(frozen=True, slots=True)
class RunsAsked:
    """Which runs, in which order, and how."""

    query: ExecutionQuery
    form: ExportFormat
    sort: str | None = None
    bodies: bool = False


def executions(actor: Actor, wanted: RunsAsked) -> Export:
    """Runs: for spreadsheets with the agent's name, as JSON with their bodies where asked for."""
    query, with_names = wanted.query, wanted.form is ExportFormat.CSV
    with_bodies = wanted.bodies and not with_names

    async def read(session: AsyncSession, cursor: str | None, limit: int) -> Part:
        asked = query.model_copy(update={"cursor": cursor, "limit": limit})
        found = await ExecutionService(session, actor).list_json(asked, wanted.sort)
        rows = [row.json for row in found.items]
        if with_names:
            rows = await named(session, rows)
        if with_bodies:
            rows = await with_their_bodies(session, found.items)
        return Part(rows, found.next_cursor)

    columns = columns_of(ExecutionRead)
    columns.insert(columns.index("agent_id") + 1, "agent")
    return Export(ExecutionService.resource, columns, query, read, with_bodies)


async def named(session: AsyncSession, rows: Sequence[str]) -> list[str]:
    """Each with the name of its agent, for people: one query."""
    runs = [json.loads(row) for row in rows]
    ids = {run["agent_id"] for run in runs}
    found = await session.execute(select(Agent.id, Agent.name).where(Agent.id.in_(ids)))
    names = {row[0]: row[1] for row in found}
    return [json.dumps(run | {"agent": names.get(run["agent_id"])}) for run in runs]


async def with_their_bodies(session: AsyncSession, runs: Sequence[Row[Any]]) -> list[str]:
    """Each with input, output, error and metadata, as stored: one query, none of it parsed."""
    keys = [(run.id, run.started_at) for run in runs]
    place = tuple_(ExecutionBody.execution_id, ExecutionBody.started_at)
    found = await session.execute(BODIES.where(place.in_(keys)))
    bodies = {row[0]: tuple(row[1:]) for row in found}
    return [with_body(run.json, bodies.get(run.id, NO_BODY)) for run in runs]


def with_body(run: str, body: Sequence[str | None]) -> str:
    given, gave, error, details = body
    added = (
        f'"input": {given or "null"}, "output": {gave or "null"}, '
        f'"error": {json.dumps(error)}, "metadata": {details or "null"}'
    )
    return f"{run.rstrip().removesuffix('}')}, {added}}}"
