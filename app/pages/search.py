"""The search box of the frame: agents, tools and runs that match, a few of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.pages.deps import AgentServiceDep, ExecutionServiceDep, ToolServiceDep, requires
from app.pages.render import render
from app.schemas.agents import AgentQuery
from app.schemas.executions import ExecutionQuery
from app.schemas.tools import ToolQuery

router = APIRouter(prefix="/search", dependencies=[requires(Permission.BACK_OFFICE)])
SHOWN = 10


@router.get("")
async def search(
    request: Request,
    agents: AgentServiceDep,
    tools: ToolServiceDep,
    runs: ExecutionServiceDep,
    q: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    text = q.replace("\x00", "").strip()
    context: dict[str, Any] = {"q": text, "agents": [], "tools": [], "runs": []}
    if text:
        context["agents"] = (await agents.list_slice(AgentQuery(q=text), None, SHOWN)).items
        context["tools"] = (await tools.list_slice(ToolQuery(q=text), None, SHOWN)).items
        context["runs"] = (await runs.list_runs(ExecutionQuery(q=text, limit=SHOWN))).items
    return render(request, "pages/search/list.html", context)
