"""Agents on pages: list, workspace, edit with conflict page, revisions."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import AppError, StaleVersion
from app.models import Agent, BulkResource, ListName
from app.pages import exports, forms
from app.pages.agent_list import COLUMNS, agent_filters
from app.pages.bulk_view import selection_of
from app.pages.conflicts import agent_conflict, merged_agent
from app.pages.deps import AgentServiceDep, requires
from app.pages.estimates import estimates_note
from app.pages.figures_view import week_of
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.agents import AgentQuery, AgentStaffCreate, AgentStaffUpdate
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionQuery
from app.schemas.exports import ExportFormat
from app.schemas.tool_calls import USUAL_DAYS, Days
from app.services import export_sources
from app.services.agents import AgentService
from app.services.config_pulls import ConfigPullService
from app.services.executions import ExecutionService
from app.services.recent_runs import last_day_of
from app.services.statistics import StatisticsService
from app.services.tool_calls import ToolCallService

router = APIRouter(prefix="/agents")
AgentId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
Version = Annotated[int, Form(ge=1, le=MAX_BIGINT)]
DaysQuery = Annotated[Days, Query()]
READ = [requires(Permission.AGENTS_READ)]
WRITE = [requires(Permission.AGENTS_WRITE)]
DELETE = [requires(Permission.AGENTS_DELETE)]
PAGE_SIZE, SHOWN_RUNS = 50, 8
EMPTY = {
    "name": "",
    "description": "",
    "model_name": "",
    "system_prompt": "",
    "max_tokens": "1000",
    "config": "{}",
    "tags": "",
    "internal_notes": "",
    "is_active": "true",
    "tool_ids": [],
}


@router.get("", dependencies=READ)
async def list_agents(
    request: Request,
    agents: AgentServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    state, views = await opened(request, agents, ListName.AGENTS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(AgentQuery, sort=state.sort or None)
    rows = await agents.list_slice(query, cursor, PAGE_SIZE)
    offered = Offered(COLUMNS, await agent_filters(agents))
    context = {
        "agents": rows.items,
        "recent": await last_day_of(agents.session, agents.actor, [a.id for a in rows.items]),
        "may_write": agents.actor.may(Permission.AGENTS_WRITE),
        "selection": selection_of(agents.actor, BulkResource.AGENTS),
        **framed(request, (state, views), rows, query, offered),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/agents/{name}", context)


@router.get("/export", dependencies=READ)
async def export_agents(
    request: Request, agents: AgentServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query, _ = exports.listed(request, ListName.AGENTS, AgentQuery)
    export = export_sources.agents(agents.actor, query)
    return await exports.answer(request, agents.actor, export, form)


async def form_page(
    request: Request, agents: AgentService, form: forms.Form, agent: Agent | None, status: int = 200
) -> Response:
    # A post that left fields out shows them empty.
    form.values = EMPTY | form.values
    tools = await agents.tool_choices(agent)
    context = {
        "form": form,
        "agent": agent,
        "tools": tools,
        "tool_options": [(str(t.id), t.name, (t.description or "")[:100]) for t in tools],
    }
    return render(request, "pages/agents/form.html", context, status)


def typed_values(agent: Agent) -> dict[str, Any]:
    """The agent as its form shows it."""
    return forms.shown(agent, AgentStaffUpdate, json_fields=("config",)) | {
        "tool_ids": [str(tool.id) for tool in agent.tools],
        "tags": ", ".join(agent.tags),
        "row_version": agent.row_version,
    }


async def posted(request: Request) -> dict[str, Any]:
    values = forms.typed(await request.form(), lists=("tool_ids",))
    values["is_active"] = values.get("is_active", "false")
    return values


@router.get("/new", dependencies=WRITE)
async def new_agent(request: Request, agents: AgentServiceDep) -> Response:
    return await form_page(request, agents, forms.Form(dict(EMPTY)), None)


@router.post("/new", dependencies=WRITE)
async def create_agent(request: Request, agents: AgentServiceDep) -> Response:
    data, form = forms.parse(AgentStaffCreate, await posted(request), json_fields=("config",))
    if data is not None:
        try:
            async with agents.session.begin_nested():
                agent = await agents.create(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/agents/{agent.id}", "created")
    return await form_page(request, agents, form, None, 422)


@router.get("/{agent_id}", dependencies=READ)
async def show_agent(
    request: Request, agent_id: AgentId, agents: AgentServiceDep, days: DaysQuery = USUAL_DAYS
) -> Response:
    agent = await agents.get(agent_id)
    context = await overview_context(agents, agent) | await tool_use(agents, agent, days)
    return render(request, "pages/agents/detail.html", context)


async def overview_context(agents: AgentService, agent: Agent) -> dict[str, Any]:
    statistics = StatisticsService(agents.session, agents.actor)
    runs = ExecutionService(agents.session, agents.actor)
    extent = await statistics.extent(agent.id)
    recent = await runs.list_runs(ExecutionQuery(agent_id=[agent.id], limit=SHOWN_RUNS))
    return {
        "agent": agent,
        "pulls": await ConfigPullService(agents.session, agents.actor).of_agents([agent.id]),
        "sees_keys": agents.actor.may(Permission.KEYS_MANAGE),
        "user_id": agents.actor.user_id,
        "tab": "overview",
        "figures": await statistics.figures(extent, agent.id) if extent else None,
        "estimates_note": await estimates_note(statistics, extent, agent.id) if extent else None,
        "recent": recent.items,
        "plots": await week_of(statistics, agent.id) if extent else [],
        **rights(agents),
    }


async def tool_use(agents: AgentService, agent: Agent, days: int) -> dict[str, Any]:
    calls = ToolCallService(agents.session, agents.actor)
    return {"tool_use": await calls.use_of(agent, days), "days": days}


def rights(agents: AgentService) -> dict[str, bool]:
    return {
        "may_write": agents.actor.may(Permission.AGENTS_WRITE),
        "may_delete": agents.actor.may(Permission.AGENTS_DELETE),
    }


@router.get("/{agent_id}/edit", dependencies=WRITE)
async def edit_agent(request: Request, agent_id: AgentId, agents: AgentServiceDep) -> Response:
    agent = await agents.get(agent_id)
    return await form_page(request, agents, forms.Form(typed_values(agent)), agent)


@router.post("/{agent_id}/edit", dependencies=WRITE)
async def update_agent(request: Request, agent_id: AgentId, agents: AgentServiceDep) -> Response:
    return await save(request, agent_id, agents, await posted(request))


@router.post("/{agent_id}/merge", dependencies=WRITE)
async def merge_agent(request: Request, agent_id: AgentId, agents: AgentServiceDep) -> Response:
    """The conflict page's answer; a further save in between shows the page again."""
    lists = ("theirs.tool_ids", "yours.tool_ids")
    values = merged_agent(forms.typed(await request.form(), lists))
    return await save(request, agent_id, agents, values)


async def save(
    request: Request, agent_id: int, agents: AgentService, values: dict[str, Any]
) -> Response:
    """Store what was typed, or show it again: with its errors, or beside the other save."""
    version = forms.version_in(values)
    data, form = forms.parse(AgentStaffUpdate, values, json_fields=("config",))
    form.values["row_version"] = version
    agent = await agents.get(agent_id)
    if data is not None:
        try:
            async with agents.session.begin_nested():
                saved = await agents.update(agent_id, data, version)
        except StaleVersion:
            context = await agent_conflict(agents, await agents.get(agent_id), version, data)
            return render(request, "pages/conflicts/detail.html", context, 409)
        except AppError as error:
            forms.refuse(form, error)
            agent = await agents.get(agent_id)  # what the savepoint undid is to be read again
        else:
            notice = "unchanged" if saved.row_version == version else "saved"
            return redirect(request, f"/agents/{agent_id}", notice)
    return await form_page(request, agents, form, agent, 422)


@router.post("/{agent_id}/delete", dependencies=DELETE)
async def delete_agent(request: Request, agent_id: AgentId, agents: AgentServiceDep) -> Response:
    await agents.delete(agent_id)
    return redirect(request, "/agents", "trashed", f"agents:{agent_id}")
