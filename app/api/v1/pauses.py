"""Stop an agent, a tool or a key for a while, and let it go on, over JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from app.api.answers import AgentAnswerDep, ToolAnswerDep
from app.api.deps import (
    AgentServiceDep,
    ApiKeyServiceDep,
    IfMatchDep,
    ToolServiceDep,
    requires,
)
from app.api.strict_json import StrictRoute
from app.api.v1.pages import CHANGE_ERRORS, CHANGED
from app.core.permissions import Permission
from app.models import ApiKey
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
    responses=CHANGED,
    tags=["agents"],
)
async def pause_agent(
    agent_id: RowId,
    agents: AgentServiceDep,
    version: IfMatchDep,
    answer: AgentAnswerDep,
    data: Pause = NO_REASON,
) -> Any:
    """Tell its runtimes to stop: `action` in what they pull and in the answers to their reports."""
    return answer(await agents.pause(agent_id, data.reason, version))


@router.post(
    "/agents/{agent_id}/resume",
    response_model=AgentRead,
    dependencies=AGENTS,
    responses=CHANGED,
    tags=["agents"],
)
async def resume_agent(
    agent_id: RowId, agents: AgentServiceDep, version: IfMatchDep, answer: AgentAnswerDep
) -> Any:
    """Let its runtimes go on."""
    return answer(await agents.resume(agent_id, version))


@router.post(
    "/tools/{tool_id}/pause",
    response_model=ToolRead,
    dependencies=TOOLS,
    responses=CHANGED,
    tags=["tools"],
)
async def pause_tool(
    tool_id: RowId,
    tools: ToolServiceDep,
    version: IfMatchDep,
    answer: ToolAnswerDep,
    data: Pause = NO_REASON,
) -> Any:
    """Leave it out of what runtimes pull, at once and without a new revision."""
    return answer(await tools.pause(tool_id, data.reason, version))


@router.post(
    "/tools/{tool_id}/resume",
    response_model=ToolRead,
    dependencies=TOOLS,
    responses=CHANGED,
    tags=["tools"],
)
async def resume_tool(
    tool_id: RowId, tools: ToolServiceDep, version: IfMatchDep, answer: ToolAnswerDep
) -> Any:
    """Give it back to its agents."""
    return answer(await tools.resume(tool_id, version))


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
