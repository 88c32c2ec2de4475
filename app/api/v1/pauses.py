"""Stop an agent, a tool or a key for a while, and let it go on, over JSON."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.api.deps import (
    AgentServiceDep,
    ApiKeyServiceDep,
    IfMatchDep,
    ToolServiceDep,
    etag,
    requires,
)
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS
from app.core.permissions import Permission
from app.models import Agent, ApiKey, Tool
from app.schemas.agents import AgentRead
from app.schemas.api_keys import ApiKeyRead
from app.schemas.base import MAX_BIGINT
from app.schemas.pauses import Pause
from app.schemas.tools import ToolRead

router = APIRouter(route_class=StrictRoute)
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
NO_REASON = Pause()
AGENTS = [requires(Permission.AGENTS_WRITE)]
TOOLS = [requires(Permission.TOOLS_WRITE)]
KEYS = [requires(Permission.KEYS_WRITE)]


@router.post(
    "/agents/{agent_id}/pause",
    response_model=AgentRead,
    dependencies=AGENTS,
    responses=CHANGE_ERRORS,
    tags=["agents"],
)
async def pause_agent(
    agent_id: RowId,
    agents: AgentServiceDep,
    version: IfMatchDep,
    response: Response,
    data: Pause = NO_REASON,
) -> Agent:
    """Tell its runtimes to stop: `action` in what they pull and in the answers to their reports."""
    agent = await agents.pause(agent_id, data.reason, version)
    response.headers["ETag"] = etag(agent.row_version)
    return agent


@router.post(
    "/agents/{agent_id}/resume",
    response_model=AgentRead,
    dependencies=AGENTS,
    responses=CHANGE_ERRORS,
    tags=["agents"],
)
async def resume_agent(
    agent_id: RowId, agents: AgentServiceDep, version: IfMatchDep, response: Response
) -> Agent:
    """Let its runtimes go on."""
    agent = await agents.resume(agent_id, version)
    response.headers["ETag"] = etag(agent.row_version)
    return agent


@router.post(
    "/tools/{tool_id}/pause",
    response_model=ToolRead,
    dependencies=TOOLS,
    responses=CHANGE_ERRORS,
    tags=["tools"],
)
async def pause_tool(
    tool_id: RowId,
    tools: ToolServiceDep,
    version: IfMatchDep,
    response: Response,
    data: Pause = NO_REASON,
) -> Tool:
    """Leave it out of what runtimes pull, at once and without a new revision."""
    tool = await tools.pause(tool_id, data.reason, version)
    response.headers["ETag"] = etag(tool.row_version)
    return tool


@router.post(
    "/tools/{tool_id}/resume",
    response_model=ToolRead,
    dependencies=TOOLS,
    responses=CHANGE_ERRORS,
    tags=["tools"],
)
async def resume_tool(
    tool_id: RowId, tools: ToolServiceDep, version: IfMatchDep, response: Response
) -> Tool:
    """Give it back to its agents."""
    tool = await tools.resume(tool_id, version)
    response.headers["ETag"] = etag(tool.row_version)
    return tool


@router.post(
    "/api-keys/{key_id}/pause",
    response_model=ApiKeyRead,
    dependencies=KEYS,
    responses=CHANGE_ERRORS,
    tags=["api keys"],
)
async def pause_api_key(key_id: RowId, keys: ApiKeyServiceDep, data: Pause = NO_REASON) -> ApiKey:
    """From this answer on the key gets 403 `KEY_PAUSED`, until it is resumed."""
    return await keys.pause(key_id, data.reason)


@router.post(
    "/api-keys/{key_id}/resume",
    response_model=ApiKeyRead,
    dependencies=KEYS,
    responses=CHANGE_ERRORS,
    tags=["api keys"],
)
async def resume_api_key(key_id: RowId, keys: ApiKeyServiceDep) -> ApiKey:
    """Let the key open again what it opened before."""
    return await keys.resume(key_id)
