"""Tools on pages."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.exceptions import AppError, StaleVersion
from app.models import BulkResource, ListName, Tool
from app.pages import exports, forms
from app.pages.bulk_view import selection_of
from app.pages.conflicts import merged_tool, tool_conflict
from app.pages.deps import ToolHeaderServiceDep, ToolServiceDep, requires
from app.pages.list_views import Offered, framed, opened
from app.pages.render import redirect, render, wants_fragment
from app.pages.schema_view import check_schema, parameters_of
from app.pages.tool_list import COLUMNS, KIND_NAMES, KINDS, tool_filters
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.schemas.problems import in_words
from app.schemas.tool_calls import USUAL_DAYS, Days
from app.schemas.tools import HttpMethod, ToolCreate, ToolHeaders, ToolQuery, ToolUpdate
from app.services import export_sources
from app.services.owners import names_of
from app.services.tool_calls import ToolCallService
from app.services.tool_headers import ToolHeaderService
from app.services.tools import ToolService

router = APIRouter(prefix="/tools")
ToolId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
DaysQuery = Annotated[Days, Query()]
READ = [requires(Permission.TOOLS_READ)]
WRITE = [requires(Permission.TOOLS_WRITE)]
DELETE = [requires(Permission.TOOLS_DELETE)]
PAGE_SIZE = 50
JSON_FIELDS = ("parameters",)
# Fields of the form that are no fields of a tool.
FORM_ONLY = ("endpoint_url", "endpoint_method", "headers", "forget_headers")
METHODS = [(method.value, method.value) for method in HttpMethod]
T = TypeVar("T", bound=BaseModel)
EMPTY = {
    "endpoint_url": "",
    "endpoint_method": "POST",
    "headers": "",
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
    state, views = await opened(request, tools, ListName.TOOLS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(ToolQuery, sort=state.sort or None)
    rows = await tools.list_slice(query, cursor, PAGE_SIZE)
    offered = Offered(COLUMNS, await tool_filters(tools))
    context = {
        "tools": rows.items,
        "owners": await names_of(tools.session, [tool.user_id for tool in rows.items]),
        "kind_names": KIND_NAMES,
        "may_write": tools.actor.may(Permission.TOOLS_WRITE),
        "selection": selection_of(tools.actor, BulkResource.TOOLS),
        **framed(request, (state, views), rows, query, offered),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/tools/{name}", context)


@router.get("/export", dependencies=READ)
async def export_tools(
    request: Request, tools: ToolServiceDep, form: exports.FormatQuery = ExportFormat.CSV
) -> Response:
    """All that the list's filters match, in its order."""
    query, _ = exports.listed(request, ListName.TOOLS, ToolQuery)
    export = export_sources.tools(tools.actor, query)
    return await exports.answer(request, tools.actor, export, form)


def form_page(request: Request, form: forms.Form, tool: Tool | None, status: int = 200) -> Response:
    # A post that left fields out shows them empty.
    form.values = EMPTY | form.values
    context = {
        "form": form,
        "tool": tool,
        "kinds": KINDS,
        "methods": METHODS,
        "check": check_schema(form.values["parameters"]),
    }
    return render(request, "pages/tools/form.html", context, status)


async def posted(request: Request) -> dict[str, Any]:
    return completed(forms.typed(await request.form()))


def completed(values: dict[str, Any]) -> dict[str, Any]:
    values["is_active"] = values.get("is_active", "false")
    url = str(values.get("endpoint_url", "")).strip()
    method = values.get("endpoint_method") or "POST"
    values["endpoint"] = {"url": url, "method": method} if url else None
    return values


def parse(
    schema: type[T], values: dict[str, Any]
) -> tuple[T | None, ToolHeaders | None, forms.Form]:
    """The tool and its headers (``None``: as they are), or what is wrong with either."""
    given = {name: value for name, value in values.items() if name not in FORM_ONLY}
    data, form = forms.parse(schema, given, JSON_FIELDS)
    form.values |= {name: values.get(name, "") for name in FORM_ONLY}
    if "parameters" in form.errors:
        # The same words as while it was typed, with the line.
        found = check_schema(str(values.get("parameters", ""))).error
        form.errors["parameters"] = found or form.errors["parameters"]
    if form.values.pop("headers"):
        # Secrets are not shown back, not even to who has just typed them.
        form.errors.setdefault("headers", _("are not kept while the form is. Enter them again."))
    try:
        headers = headers_in(values)
    except ValidationError as error:
        form.errors["headers"] = in_words(error.errors(include_input=False)[0])
        return None, None, form
    return data, headers, form


def headers_in(values: dict[str, Any]) -> ToolHeaders | None:
    """``Name: value`` line by line. Raise ``ValidationError``, which names no value."""
    if values.get("forget_headers"):
        return ToolHeaders(headers={})
    lines = [line for line in str(values.get("headers", "")).splitlines() if line.strip()]
    pairs = [line.partition(":") for line in lines]
    found = {name.strip(): value.strip() for name, _, value in pairs}
    return ToolHeaders.model_validate({"headers": found}) if found else None


@router.get("/new", dependencies=WRITE)
async def new_tool(request: Request) -> Response:
    return form_page(request, forms.Form(dict(EMPTY)), None)


@router.post("/new", dependencies=WRITE)
async def create_tool(
    request: Request, tools: ToolServiceDep, headers: ToolHeaderServiceDep
) -> Response:
    data, given, form = parse(ToolCreate, await posted(request))
    if data is not None:
        try:
            async with tools.session.begin_nested():
                tool = await tools.create(data)
                if given is not None:
                    await headers.replace(tool.id, given)
        except AppError as error:
            forms.refuse(form, error)
        else:
            return redirect(request, f"/tools/{tool.id}", "created")
    return form_page(request, form, None, 422)


@router.post("/schema", dependencies=WRITE)
async def look_at_schema(request: Request) -> Response:
    """What is typed so far, read or refused: a fragment. Nothing is stored."""
    text = str(forms.typed(await request.form()).get("parameters", ""))
    return render(request, "pages/tools/_schema.html", {"check": check_schema(text)})


@router.get("/{tool_id}", dependencies=READ)
async def show_tool(
    request: Request, tool_id: ToolId, tools: ToolServiceDep, days: DaysQuery = USUAL_DAYS
) -> Response:
    tool = await tools.get(tool_id)
    calls = ToolCallService(tools.session, tools.actor)
    sees_runs = tools.actor.may(Permission.EXECUTIONS_READ)
    context = {
        "kind_names": KIND_NAMES,
        "tool": tool,
        "parameters": parameters_of(tool.parameters),
        "days": days,
        "contract": await calls.contract_of(tool, days) if sees_runs else None,
        "agents": await tools.agents_using(tool),
        "may_write": tools.actor.may(Permission.TOOLS_WRITE),
        "may_delete": tools.actor.may(Permission.TOOLS_DELETE),
    }
    return render(request, "pages/tools/detail.html", context)


@router.get("/{tool_id}/edit", dependencies=WRITE)
async def edit_tool(request: Request, tool_id: ToolId, tools: ToolServiceDep) -> Response:
    tool = await tools.get(tool_id)
    endpoint = tool.endpoint or {}
    values = forms.shown(tool, ToolUpdate, JSON_FIELDS) | {
        "row_version": tool.row_version,
        "endpoint_url": endpoint.get("url", ""),
        "endpoint_method": endpoint.get("method", "POST"),
    }
    return form_page(request, forms.Form(values), tool)


@router.post("/{tool_id}/edit", dependencies=WRITE)
async def update_tool(
    request: Request, tool_id: ToolId, tools: ToolServiceDep, headers: ToolHeaderServiceDep
) -> Response:
    return await save(request, tool_id, tools, headers, await posted(request))


@router.post("/{tool_id}/merge", dependencies=WRITE)
async def merge_tool(
    request: Request, tool_id: ToolId, tools: ToolServiceDep, headers: ToolHeaderServiceDep
) -> Response:
    """The conflict page's answer; a further save in between shows the page again."""
    values = completed(merged_tool(forms.typed(await request.form())))
    return await save(request, tool_id, tools, headers, values)


async def save(
    request: Request,
    tool_id: int,
    tools: ToolService,
    headers: ToolHeaderService,
    values: dict[str, Any],
) -> Response:
    """Store what was typed, or show it again: with its errors, or beside the other save."""
    version = forms.version_in(values)
    data, given, form = parse(ToolUpdate, values)
    form.values["row_version"] = version
    if data is not None:
        try:
            async with tools.session.begin_nested():
                saved = await tools.update(tool_id, data, version)
                if given is not None:
                    saved = await headers.replace(tool_id, given)
        except StaleVersion:
            context = await tool_conflict(tools, await tools.get(tool_id), version, data)
            context["headers_lost"] = given is not None
            return render(request, "pages/conflicts/detail.html", context, 409)
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
