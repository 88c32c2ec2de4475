"""Stopping an agent, a tool or a key: the page says what that stops, and asks why."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import lazy
from app.models import Agent, ApiKey, Tool
from app.pages import forms
from app.pages.deps import AgentServiceDep, ApiKeyServiceDep, ToolServiceDep, requires
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT
from app.schemas.pauses import Pause
from app.services.impacts import MOST_COUNTED, ImpactService
from app.services.pausing import PausingService

router = APIRouter()
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
Version = Annotated[int, Form(ge=1, le=MAX_BIGINT)]
AGENTS = [requires(Permission.AGENTS_WRITE)]
TOOLS = [requires(Permission.TOOLS_WRITE)]
KEYS = [requires(Permission.KEYS_WRITE)]
Service = PausingService[Any, Any, Any]  # of agents, tools or keys


@dataclass(frozen=True, slots=True)
class Wording:
    """What a pause of this kind of thing does, in words, and where its page is."""

    path: str
    noun: str
    plural: str
    button: str
    already: str
    effect: str
    undo: str


AGENT = Wording(
    "/agents",
    "agent",
    lazy("Agents"),
    lazy("Pause the agent"),
    lazy("This agent is paused already."),
    lazy(
        "Runtimes are told to stop: in the configuration that they pull, and in the answer to "
        "every report. What is reported all the same is stored."
    ),
    lazy("Its revision and its keys stay as they are."),
)
TOOL = Wording(
    "/tools",
    "tool",
    lazy("Tools"),
    lazy("Pause the tool"),
    lazy("This tool is paused already."),
    lazy("Its agents go on without it: the configuration that a runtime pulls next leaves it out."),
    lazy("Revisions stay as they are; resuming gives the tool back to the same agents."),
)
KEY = Wording(
    "/keys",
    "API key",
    lazy("API keys"),
    lazy("Pause the API key"),
    lazy("This API key is paused already."),
    lazy(
        "Every request with it is refused at once with 403 KEY_PAUSED, the reports of runs that go "
        "on included. Runtimes that know the code wait instead of giving up."
    ),
    lazy("Unlike a revoked key it can be resumed."),
)
WORDINGS = {Agent: AGENT, Tool: TOOL, ApiKey: KEY}


async def confirm_page(
    request: Request,
    service: Service,
    row: Agent | Tool | ApiKey,
    form: forms.Form | None = None,
    status: int = 200,
) -> Response:
    context = {
        "row": row,
        "is_paused": service.is_paused(row),
        "wording": WORDINGS[type(row)],
        "impact": await ImpactService(service.session, service.actor).of(row),
        "most": MOST_COUNTED,
        "form": form or forms.Form({}),
        "sees_keys": service.actor.may(Permission.KEYS_MANAGE),
        "user_id": service.actor.user_id,
    }
    return render(request, "pages/pauses/confirm.html", context, status)


async def pause(request: Request, service: Service, row_id: int, version: int) -> Response:
    values = forms.typed(await request.form())
    data, form = forms.parse(Pause, {"reason": values.get("reason", "")})
    row = await service.get(row_id)
    if data is None:
        return await confirm_page(request, service, row, form, 422)
    await service.pause(row_id, data.reason, version)
    return redirect(request, f"{WORDINGS[type(row)].path}/{row_id}", "paused")


async def resume(request: Request, service: Service, row_id: int, version: int) -> Response:
    row = await service.resume(row_id, version)
    return redirect(request, f"{WORDINGS[type(row)].path}/{row_id}", "resumed")


@router.get("/agents/{agent_id}/pause", dependencies=AGENTS)
async def ask_about_agent(request: Request, agent_id: RowId, agents: AgentServiceDep) -> Response:
    return await confirm_page(request, agents, await agents.get(agent_id))


@router.post("/agents/{agent_id}/pause", dependencies=AGENTS)
async def pause_agent(
    request: Request, agent_id: RowId, version: Version, agents: AgentServiceDep
) -> Response:
    return await pause(request, agents, agent_id, version)


@router.post("/agents/{agent_id}/resume", dependencies=AGENTS)
async def resume_agent(
    request: Request, agent_id: RowId, version: Version, agents: AgentServiceDep
) -> Response:
    return await resume(request, agents, agent_id, version)


@router.get("/tools/{tool_id}/pause", dependencies=TOOLS)
async def ask_about_tool(request: Request, tool_id: RowId, tools: ToolServiceDep) -> Response:
    return await confirm_page(request, tools, await tools.get(tool_id))


@router.post("/tools/{tool_id}/pause", dependencies=TOOLS)
async def pause_tool(
    request: Request, tool_id: RowId, version: Version, tools: ToolServiceDep
) -> Response:
    return await pause(request, tools, tool_id, version)


@router.post("/tools/{tool_id}/resume", dependencies=TOOLS)
async def resume_tool(
    request: Request, tool_id: RowId, version: Version, tools: ToolServiceDep
) -> Response:
    return await resume(request, tools, tool_id, version)


@router.get("/keys/{key_id}/pause", dependencies=KEYS)
async def ask_about_key(request: Request, key_id: RowId, keys: ApiKeyServiceDep) -> Response:
    return await confirm_page(request, keys, await keys.get(key_id))


@router.post("/keys/{key_id}/pause", dependencies=KEYS)
async def pause_key(
    request: Request, key_id: RowId, version: Version, keys: ApiKeyServiceDep
) -> Response:
    return await pause(request, keys, key_id, version)


@router.post("/keys/{key_id}/resume", dependencies=KEYS)
async def resume_key(
    request: Request, key_id: RowId, version: Version, keys: ApiKeyServiceDep
) -> Response:
    return await resume(request, keys, key_id, version)
