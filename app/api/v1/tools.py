"""Tools over JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import ToolAnswerDep
from app.api.conditional import UNCHANGED, IfNoneMatchDep
from app.api.deps import IfMatchDep, ToolServiceDep, etag, personal, requires
from app.api.downloads import FILES, download
from app.api.idempotency import OnceDep
from app.api.openapi import created
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
from app.schemas.base import MAX_BIGINT, Page
from app.schemas.bulk import Bulk, BulkAnswer, Change, RowVersion
from app.schemas.exports import ToolExport
from app.schemas.tools import ToolCreate, ToolHeaders, ToolQuery, ToolRead, ToolUpdate
from app.services import export_sources
from app.services.bulk import create_each, delete_each, update_each
from app.services.tool_headers import ToolHeaderService

router = APIRouter(prefix="/tools", tags=["tools"], route_class=StrictRoute)
ToolId = Annotated[int, Path(ge=1, le=MAX_BIGINT, description="Its id.")]

ToolHeaderServiceDep = Annotated[ToolHeaderService, Depends(personal(ToolHeaderService))]

READ = [requires(Permission.TOOLS_READ)]
WRITE = [requires(Permission.TOOLS_WRITE)]
DELETE = [requires(Permission.TOOLS_DELETE)]


@router.post(
    "",
    status_code=201,
    response_model=ToolRead,
    dependencies=WRITE,
    responses={**created(ToolRead), **CREATE_ERRORS},
)
async def create_tool(
    data: ToolCreate, tools: ToolServiceDep, request: Request, response: Response, once: OnceDep
) -> ToolRead:
    """Create a tool; `parameters` is a JSON Schema (2020-12)."""
    tool = await tools.create(data)
    response.headers["Location"] = f"{request.url.path}/{tool.id}"
    response.headers["ETag"] = etag(tool.row_version)
    return await once.keep(ToolRead.model_validate(tool), response, 201)


@router.post("/batch", response_model=BulkAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def create_tools(
    data: Bulk[ToolCreate], tools: ToolServiceDep, response: Response, once: OnceDep
) -> BulkAnswer:
    """Create up to 100; each is answered on its own."""
    return await once.keep(await create_each(tools, data.items), response, 200)


@router.patch("/batch", response_model=BulkAnswer, dependencies=WRITE, responses=CREATE_ERRORS)
async def update_tools(data: Bulk[Change[ToolUpdate]], tools: ToolServiceDep) -> BulkAnswer:
    """Change up to 100; each is answered on its own, with 412 where its version is old."""
    return await update_each(tools, data.items)


@router.post(
    "/batch/delete", response_model=BulkAnswer, dependencies=DELETE, responses=CREATE_ERRORS
)
async def delete_tools(data: Bulk[RowVersion], tools: ToolServiceDep) -> BulkAnswer:
    """Move up to 100 to the trash; each is answered on its own."""
    return await delete_each(tools, data.items)


@router.get(
    "/export",
    dependencies=READ,
    response_class=StreamingResponse,
    responses={200: FILES, **LIST_ERRORS},
)
async def export_tools(
    asked: Annotated[ToolExport, Query()], tools: ToolServiceDep, request: Request
) -> StreamingResponse:
    """All tools that match, by name, as one file; it is on record with the filter.

    What fails on the way is cut off: the body ends without the last chunk.
    """
    query = ToolQuery(**asked.model_dump(exclude={"format"}, exclude_unset=True))
    export = export_sources.tools(tools.actor, query)
    return await download(request, tools.actor, export, asked.format)


@router.get("", response_model=Page[ToolRead], dependencies=READ, responses=LIST_ERRORS)
async def list_tools(query: Annotated[ToolQuery, Query()], tools: ToolServiceDep) -> Any:
    """Tools you may see, by name. Sorts: name, created_at, updated_at; `-` descends."""
    return page_of(await tools.list_page(query), query)


@router.get(
    "/{tool_id}", response_model=ToolRead, dependencies=READ, responses={**READ_ERRORS, **UNCHANGED}
)
async def get_tool(tool_id: ToolId, tools: ToolServiceDep, known: IfNoneMatchDep) -> Any:
    """One tool; the ETag is its row version."""
    tool = await tools.get(tool_id)
    return known.answer(tool)


@router.patch("/{tool_id}", response_model=ToolRead, dependencies=WRITE, responses=CHANGED)
async def update_tool(
    tool_id: ToolId,
    data: ToolUpdate,
    tools: ToolServiceDep,
    version: IfMatchDep,
    answer: ToolAnswerDep,
) -> Any:
    """Change what is sent; agents that use the tool get a new revision."""
    return answer(await tools.update(tool_id, data, version))


@router.put("/{tool_id}/headers", response_model=ToolRead, dependencies=WRITE, responses=CHANGED)
async def set_tool_headers(
    tool_id: ToolId,
    data: ToolHeaders,
    headers: ToolHeaderServiceDep,
    version: IfMatchDep,
    answer: ToolAnswerDep,
) -> Any:
    """What is sent to the endpoint, such as Authorization. Replaces all; values are never shown."""
    return answer(await headers.replace(tool_id, data, version))


@router.delete("/{tool_id}", status_code=204, dependencies=DELETE, responses=CHANGE_ERRORS)
async def delete_tool(tool_id: ToolId, tools: ToolServiceDep, version: IfMatchDep) -> None:
    """Move to the trash; refused while agents use the tool."""
    await tools.delete(tool_id, version)


@router.post("/{tool_id}/restore", response_model=ToolRead, dependencies=DELETE, responses=CHANGED)
async def restore_tool(tool_id: ToolId, tools: ToolServiceDep, answer: ToolAnswerDep) -> Any:
    """Bring back from the trash."""
    return answer(await tools.restore(tool_id))
