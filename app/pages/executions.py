"""Runs on pages: the list that is found by filters, and what is done to one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.wording import capped
from app.models import BulkResource, Execution, ListName
from app.pages import exports, listing
from app.pages.bulk_view import selection_of
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.execution_list import agent_filter, execution_filters, execution_table
from app.pages.filter_bar import bar_of, chip_of
from app.pages.list_state import ListState, list_context, state_of
from app.pages.list_views import opened
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.schemas.lists import ExecutionPageQuery
from app.services import export_sources
from app.services.execution_reads import LIST_LIMIT
from app.services.owners import names_of

router = APIRouter(prefix="/executions")
ExecutionId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]
DELETE = [requires(Permission.EXECUTIONS_DELETE)]
PAGE_SIZE = 50


def counted(total: int) -> str:
    return capped(total, LIST_LIMIT)


@router.get("", dependencies=READ)
async def list_executions(
    request: Request,
    runs: ExecutionServiceDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    state, views = await opened(request, runs, ListName.EXECUTIONS)
    if views.goes_to:
        return redirect(request, views.goes_to)
    query = state.query(ExecutionPageQuery, cursor=cursor, limit=PAGE_SIZE)
    rows = await runs.list_runs(query, state.sort)
    context = {
        "runs": rows.items,
        "owners": await names_of(runs.session, [run.agent.user_id for run in rows.items]),
        "total": counted(await runs.count_runs(query)),
        "newer_href": newer_href(state, rows.items) if not cursor and not state.sort else "",
        "selection": selection_of(runs.actor, BulkResource.EXECUTIONS),
        "views": views,
        **list_context(request, state, rows, query),
        "table": execution_table(state, rows.items, views.remembered),
        "bar": bar_of(state, await execution_filters(runs, state)),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/executions/{name}", context)


def newer_href(state: ListState, runs: Sequence[Execution]) -> str:
    newest = max((run.id for run in runs), default=0)
    return listing.href("/executions/new-count", state.params | {"after": newest})


@router.get("/export", dependencies=READ)
async def export_executions(
    request: Request,
    runs: ExecutionServiceDep,
    form: exports.FormatQuery = ExportFormat.CSV,
    bodies: exports.BodiesQuery = False,
) -> Response:
    """All that the list's filters match, in its order; as JSON with bodies where asked for."""
    query, sort = exports.listed(request, ListName.EXECUTIONS, ExecutionPageQuery)
    asked = export_sources.RunsAsked(query, form, sort, bodies)
    return await exports.answer(
        request, runs.actor, export_sources.executions(runs.actor, asked), form
    )


@router.get("/agents", dependencies=READ)
async def find_agents(
    request: Request,
    runs: ExecutionServiceDep,
    agent: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The choices of the agent filter, found by the words that were typed."""
    state = state_of(request, ListName.EXECUTIONS)
    context = {"chip": chip_of(state, await agent_filter(runs, state, agent))}
    return render(request, "components/_choices.html", context)


@router.get("/new-count", dependencies=READ)
async def count_new(
    request: Request,
    runs: ExecutionServiceDep,
    after: Annotated[int, Query(ge=0, le=MAX_BIGINT)],
) -> Response:
    """How many matching runs came since the list was drawn: the "12 new: show" line."""
    state = replace(state_of(request, ListName.EXECUTIONS), path="/executions")
    count = await runs.count_newer(state.query(ExecutionPageQuery), after)
    context = {"count": counted(count) if count else "", "href": state.href()}
    return render(request, "pages/executions/_new.html", context)


@router.post("/{execution_id}/delete", dependencies=DELETE)
async def delete_execution(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    await runs.delete(execution_id)
    return redirect(request, "/executions", "trashed", f"executions:{execution_id}")
