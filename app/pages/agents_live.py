"""What an agent's pages fetch while they are open: who else is here, who saved, what ran."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.models import Agent
from app.pages.audit_view import actor_label
from app.pages.deps import AgentServiceDep, requires
from app.pages.render import render
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionQuery
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.presences import PresenceService

router = APIRouter(prefix="/agents/{agent_id}")
AgentId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
Version = Annotated[int, Query(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.AGENTS_READ)]
SHOWN_RUNS = 8


@router.get("/notice", dependencies=READ)
async def show_notice(
    request: Request, agent_id: AgentId, version: Version, agents: AgentServiceDep
) -> Response:
    """Who saved the agent since its page was drawn at ``version``; nothing when nobody did."""
    agent = await agents.find(agent_id) or await agents.get(agent_id, trashed=True)
    changed = agent.row_version > version
    context = {"agent": agent, "who": await last_editor(agents, agent) if changed else None}
    return render(request, "pages/agents/_notice.html", context)


async def last_editor(agents: AgentService, agent: Agent) -> str:
    event = await agents.audit.last_change(agent)
    return actor_label(event, await agents.audit.actor_names([event])) if event else _("Someone")


@router.get("/presence", dependencies=READ)
async def show_presence(request: Request, agent_id: AgentId, agents: AgentServiceDep) -> Response:
    """The others who have a page of this agent open at this moment."""
    agent = await agents.get(agent_id)
    presence = PresenceService(agents.session, agents.actor)
    context = {"people": await presence.others(f"presence:agent:{agent.id}")}
    return render(request, "pages/agents/_presence.html", context)


@router.get("/recent-runs", dependencies=READ)
async def show_recent_runs(
    request: Request, agent_id: AgentId, agents: AgentServiceDep
) -> Response:
    agent = await agents.get(agent_id)
    runs = ExecutionService(agents.session, agents.actor)
    recent = await runs.list_runs(ExecutionQuery(agent_id=[agent.id], limit=SHOWN_RUNS))
    context = {"agent": agent, "recent": recent.items}
    return render(request, "pages/agents/_recent_runs.html", context)
