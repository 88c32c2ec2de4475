"""Tools on pages."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import AppError
from app.models import Tool
from app.models.tools import ToolKind
from app.pages import forms, listing
from app.pages.deps import ToolServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.tools import ToolCreate, ToolQuery, ToolUpdate
from app.services.tools import ToolService

router = APIRouter(prefix="/tools")
ToolId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.TOOLS_READ)]
WRITE = [requires(Permission.TOOLS_WRITE)]
DELETE = [requires(Permission.TOOLS_DELETE)]
PAGE_SIZE = 50
JSON_FIELDS = ("parameters",)
KINDS = [(kind.value, kind.value.capitalize()) for kind in ToolKind]
EMPTY = {
    "name": "",
    "description": "",
    "kind": "function",
    "parameters": '{\n  "type": "object",\n  "properties": {}\n}',
    "is_active": "true",
}


@router.get("", dependencies=READ)
async def list_tools(
    request: Request,
    tools: ToolServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    query = listing.query_of(request, ToolQuery)
    rows = await tools.list_slice(query, cursor, PAGE_SIZE)
    context = {
        "query": query,
        "tools": rows.items,
        "links": listing.pager_links(request, rows),
        "kinds": KINDS,
        "may_write": tools.actor.may(Permission.TOOLS_WRITE),
        "without": lambda name: listing.without(request, name),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/tools/{name}", context)


def form_page(request: Request, form: forms.Form, tool: Tool | None, status: int = 200) -> Response:
    # A post that left fields out shows them empty.
    form.values = EMPTY | form.values
    context = {"form": form, "tool": tool, "kinds": KINDS}
    return render(request, "pages/tools/form.html", context, status)


async def posted(request: Request) -> dict[str, Any]:
    values = forms.typed(await request.form())
    values["is_active"] = values.get("is_active", "false")
    return values


@router.get("/new", dependencies=WRITE)
async def new_tool(request: Request) -> Response:
    return form_page(request, forms.Form(dict(EMPTY)), None)


@router.post("/new", dependencies=WRITE)
async def create_tool(request: Request, tools: ToolServiceDep) -> Response:
    data, form = forms.parse(ToolCreate, await posted(request), JSON_FIELDS)
    if data is not None:
        try:
            async with tools.session.begin_nested():
                tool = await tools.create(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/tools/{tool.id}", "created")
    return form_page(request, form, None, 422)


@router.get("/{tool_id}", dependencies=READ)
async def show_tool(request: Request, tool_id: ToolId, tools: ToolServiceDep) -> Response:
    tool = await tools.get(tool_id)
    context = {
        "tool": tool,
        "agents": await tools.agents_using(tool),
        "may_write": tools.actor.may(Permission.TOOLS_WRITE),
        "may_delete": tools.actor.may(Permission.TOOLS_DELETE),
    }
    return render(request, "pages/tools/detail.html", context)


@router.get("/{tool_id}/edit", dependencies=WRITE)
async def edit_tool(request: Request, tool_id: ToolId, tools: ToolServiceDep) -> Response:
    tool = await tools.get(tool_id)
    values = forms.shown(tool, ToolUpdate, JSON_FIELDS) | {"row_version": tool.row_version}
    return form_page(request, forms.Form(values), tool)


@router.post("/{tool_id}/edit", dependencies=WRITE)
async def update_tool(request: Request, tool_id: ToolId, tools: ToolServiceDep) -> Response:
    return await save(request, tool_id, tools)


async def save(request: Request, tool_id: int, tools: ToolService) -> Response:
    values = await posted(request)
    version = forms.version_in(values)
    data, form = forms.parse(ToolUpdate, values, JSON_FIELDS)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with tools.session.begin_nested():
                saved = await tools.update(tool_id, data, version)
        except AppError as error:
            forms.refuse(form, error)
        else:
            notice = "unchanged" if saved.row_version == version else "saved"
            return redirect(request, f"/tools/{tool_id}", notice)
    return form_page(request, form, await tools.get(tool_id), 422)


@router.post("/{tool_id}/delete", dependencies=DELETE)
async def delete_tool(request: Request, tool_id: ToolId, tools: ToolServiceDep) -> Response:
    await tools.delete(tool_id)
    return redirect(request, "/tools", "trashed", f"tools:{tool_id}")
