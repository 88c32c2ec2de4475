"""Calls of tools, as they were counted, over JSON."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.api.deps import requires, service
from app.api.v1.pages import READ_ERRORS
from app.core.permissions import Permission
from app.schemas.base import MAX_BIGINT
from app.schemas.tool_calls import USUAL_DAYS, AgentToolUse, Days, ToolContract
from app.services.tool_calls import ToolCallService

router = APIRouter(tags=["tools"])
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]
DaysQuery = Annotated[Days, Query(description="How many days to look back.")]
ToolCallServiceDep = Annotated[ToolCallService, Depends(service(ToolCallService))]


@router.get(
    "/tools/{tool_id}/contract",
    response_model=ToolContract,
    dependencies=[requires(Permission.TOOLS_READ)],
    responses=READ_ERRORS,
)
async def get_tool_contract(
    tool_id: RowId, calls: ToolCallServiceDep, days: DaysQuery = USUAL_DAYS
) -> ToolContract:
    """How calls in runs fit the tool's schema; counted every minute. Asks for executions:read."""
    return await calls.contract(tool_id, days)


@router.get(
    "/agents/{agent_id}/tool-use",
    response_model=AgentToolUse,
    dependencies=[requires(Permission.AGENTS_READ)],
    responses=READ_ERRORS,
)
async def get_tool_use(
    agent_id: RowId, calls: ToolCallServiceDep, days: DaysQuery = USUAL_DAYS
) -> AgentToolUse:
    """Which tools its runs called: given, unknown, never called. Asks for executions:read."""
    return await calls.use_by(agent_id, days)
