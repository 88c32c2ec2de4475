"""Agents over JSON: configure them, read their revisions, pull what is live."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import AgentAnswerDep
from app.api.conditional import UNCHANGED, IfNoneMatchDep
from app.api.deps import AgentServiceDep, IfMatchDep, LiveConfigServiceDep, etag_of, requires
from app.api.downloads import FILES, download
from app.api.idempotency import OnceDep
from app.api.openapi import created
from app.api.quick import RememberingRoute, config_answer
from app.api.strict_json import StrictRoute
from app.api.v1.pages import (
    CHANGE_ERRORS,
    CHANGED,
    CREATE_ERRORS,
    LIST_ERRORS,
    READ_ERRORS,
    page_of,
)
from app.core.permissions import Permission
from app.models import Agent, AgentRevision
from app.schemas.agent_revisions import RevisionRead
from app.schemas.agents import (
    AgentConfig,
    AgentCreate,
    AgentQuery,
    AgentRead,
    AgentSummary,
    AgentUpdate,
)
from app.schemas.base import MAX_BIGINT, Page, Text
from app.schemas.bulk import Bulk, BulkAnswer, Change, RowVersion
from app.schemas.exports import AgentExport
from app.services import export_sources
from app.services.agent_revisions import AgentRevisionService
from app.services.bulk import create_each, delete_each, update_each

router = APIRouter(prefix="/agents", tags=["agents"], route_class=StrictRoute)
AgentId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
Number = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="The revision.")]
MAX_REVISIONS = 100

READ = [requires(Permission.AGENTS_READ)]
WRITE = [requires(Permission.AGENTS_WRITE)]
DELETE = [requires(Permission.AGENTS_DELETE)]


async def pull_config(
    name: Annotated[Text, Path(max_length=100, description="The name of the agent.")],
    configs: LiveConfigServiceDep,
    request: Request,
) -> Response:
    """What a runtime runs with: the live revision, its tools, and ready OTEL_* settings.

    Send the answer's ETag as `If-None-Match`; 304 means that nothing changed.
    """
    return config_answer(request, await configs.pull(name))


# The first route: runtimes ask for it all the time, and routes are tried in order.
router.add_api_route(
    "/by-name/{name}/config",
    pull_config,
    response_model=AgentConfig,
    dependencies=READ,
    responses={**READ_ERRORS, 304: {"description": "Unchanged since the ETag in If-None-Match."}},
    route_class_override=RememberingRoute,
)


@router.post(
    "",
    status_code=201,
    response_model=AgentRead,
    dependencies=WRITE,
    responses={**created(AgentRead), **CREATE_ERRORS},
)
async def create_agent(
    data: AgentCreate, agents: AgentServiceDep, request: Request, response: Response, once: OnceDep
) -> AgentRead:
    """Create an agent; its first revision is made and live."""
    agent = await agents.create(data)
    response.headers["Location"] = f"{request.url.path}/{agent.id}"
    response.headers["ETag"] = etag_of(agent)
    return await once.keep(AgentRead.model_validate(agent), response, 201)


@router.post("/batch", response_model=BulkAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def create_agents(
    data: Bulk[AgentCreate], agents: AgentServiceDep, response: Response, once: OnceDep
) -> BulkAnswer:
    """Create up to 100; each is answered on its own."""
    return await once.keep(await create_each(agents, data.items), response, 200)


@router.patch("/batch", response_model=BulkAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def update_agents(data: Bulk[Change[AgentUpdate]], agents: AgentServiceDep) -> BulkAnswer:
    """Change up to 100; each is answered on its own, with 412 where its version is old."""
    return await update_each(agents, data.items)


@router.post(
    "/batch/delete", response_model=BulkAnswer, dependencies=DELETE, responses=CREATE_ERRORS
)
async def delete_agents(data: Bulk[RowVersion], agents: AgentServiceDep) -> BulkAnswer:
    """Move up to 100 to the trash; each is answered on its own."""
    return await delete_each(agents, data.items)


@router.get(
    "/export",
    dependencies=READ,
    response_class=StreamingResponse,
    responses={200: FILES, **LIST_ERRORS},
)
async def export_agents(
    asked: Annotated[AgentExport, Query()], agents: AgentServiceDep, request: Request
) -> StreamingResponse:
    """All agents that match, by name, as one file; it is on record with the filter.

    What fails on the way is cut off: the body ends without the last chunk.
    """
    query = AgentQuery(**asked.model_dump(exclude={"format"}, exclude_unset=True))
    export = export_sources.agents(agents.actor, query)
    return await download(request, agents.actor, export, asked.format)


@router.get("", response_model=Page[AgentRead], dependencies=READ, responses=LIST_ERRORS)
async def list_agents(query: Annotated[AgentQuery, Query()], agents: AgentServiceDep) -> Any:
    """Agents you may see, by name. Sorts: name, created_at, updated_at; `-` descends."""
    return page_of(await agents.list_page(query), query)


@router.get(
    "/{agent_id}",
    response_model=AgentRead,
    dependencies=READ,
    responses={**READ_ERRORS, **UNCHANGED},
)
async def get_agent(agent_id: AgentId, agents: AgentServiceDep, known: IfNoneMatchDep) -> Any:
    """One agent; the ETag is its row version and its live revision."""
    agent = await agents.read(agent_id)
    return known.answer(agent)


@router.get(
    "/{agent_id}/summary", response_model=AgentSummary, dependencies=READ, responses=READ_ERRORS
)
async def get_agent_summary(agent_id: AgentId, agents: AgentServiceDep) -> Agent:
    """Id and name."""
    return await agents.get(agent_id)


@router.patch("/{agent_id}", response_model=AgentRead, dependencies=WRITE, responses=CHANGED)
async def update_agent(
    agent_id: AgentId,
    data: AgentUpdate,
    agents: AgentServiceDep,
    version: IfMatchDep,
    answer: AgentAnswerDep,
) -> Any:
    """Change what is sent. A change of behaviour makes a new revision and puts it live."""
    return answer(await agents.update(agent_id, data, version))


@router.delete("/{agent_id}", status_code=204, dependencies=DELETE, responses=CHANGE_ERRORS)
async def delete_agent(agent_id: AgentId, agents: AgentServiceDep, version: IfMatchDep) -> None:
    """Move to the trash; restore brings it back."""
    await agents.delete(agent_id, version)


@router.post(
    "/{agent_id}/restore", response_model=AgentRead, dependencies=DELETE, responses=CHANGED
)
async def restore_agent(agent_id: AgentId, agents: AgentServiceDep, answer: AgentAnswerDep) -> Any:
    """Bring back from the trash."""
    return answer(await agents.restore(agent_id))


@router.put(
    "/{agent_id}/tools/{tool_id}",
    response_model=AgentRead,
    dependencies=WRITE,
    responses=CHANGED,
)
async def add_agent_tool(
    agent_id: AgentId, tool_id: AgentId, agents: AgentServiceDep, answer: AgentAnswerDep
) -> Any:
    """Give the agent a tool; doing so twice changes nothing."""
    return answer(await agents.set_tool(agent_id, tool_id, present=True))


@router.delete(
    "/{agent_id}/tools/{tool_id}",
    response_model=AgentRead,
    dependencies=WRITE,
    responses=CHANGED,
)
async def remove_agent_tool(
    agent_id: AgentId, tool_id: AgentId, agents: AgentServiceDep, answer: AgentAnswerDep
) -> Any:
    """Take a tool from the agent; doing so twice changes nothing."""
    return answer(await agents.set_tool(agent_id, tool_id, present=False))


@router.get(
    "/{agent_id}/revisions",
    response_model=list[RevisionRead],
    dependencies=READ,
    responses=READ_ERRORS,
)
async def list_revisions(
    agent_id: AgentId,
    agents: AgentServiceDep,
    limit: Annotated[int, Query(ge=1, le=MAX_REVISIONS, description="How many.")] = 20,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_BIGINT, description="Older than this number.")
    ] = None,
) -> list[AgentRevision]:
    """Newest first; pass the last number as `before` for the next."""
    agent = await agents.get(agent_id)
    return await AgentRevisionService(agents.session, agents.actor).list_newest(
        agent, limit, before
    )


@router.get(
    "/{agent_id}/revisions/{number}",
    response_model=RevisionRead,
    dependencies=READ,
    responses=READ_ERRORS,
)
async def get_revision(agent_id: AgentId, number: Number, agents: AgentServiceDep) -> AgentRevision:
    """One revision with its whole snapshot."""
    agent = await agents.get(agent_id)
    return await AgentRevisionService(agents.session, agents.actor).get(agent, number)


@router.post(
    "/{agent_id}/revisions/{number}/restore",
    response_model=AgentRead,
    dependencies=WRITE,
    responses=CHANGED,
)
async def restore_revision(
    agent_id: AgentId,
    number: Number,
    agents: AgentServiceDep,
    version: IfMatchDep,
    answer: AgentAnswerDep,
) -> Any:
    """Make the agent what it was at that revision, and put it live."""
    return answer(await agents.restore_revision(agent_id, number, version=version))
