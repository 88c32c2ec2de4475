"""Runs on pages: the list that is found by filters, and what is done to one."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.models.executions import ExecutionSource, ExecutionStatus
from app.pages import listing
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import ExecutionFilters, ExecutionQuery
from app.services.agents import AgentService
from app.services.execution_reads import LIST_LIMIT
from app.services.executions import ExecutionService

router = APIRouter(prefix="/executions")
ExecutionId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]
DELETE = [requires(Permission.EXECUTIONS_DELETE)]
PAGE_SIZE = 50
LISTS = frozenset({"agent_id", "status"})
SINCE = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
STATUSES = [(status.value, status.value.capitalize()) for status in ExecutionStatus]
SOURCES = [
    (
        source.value,
        source.value.upper() if source.value in ("api", "otlp") else source.value.capitalize(),
    )
    for source in ExecutionSource
]


def filters_of(request: Request) -> tuple[ExecutionQuery, str]:
    """The query in the URL, and the chosen time range (``""`` is all time)."""
    query = listing.query_of(request, ExecutionQuery, LISTS)
    chosen = request.query_params.get("range", "")
    if chosen in SINCE and query.since is None:
        query.since = datetime.now(UTC) - SINCE[chosen]
    query.limit = PAGE_SIZE
    return query, chosen if chosen in SINCE else ""


def counted(total: int) -> str:
    return f"{LIST_LIMIT:,}+" if total > LIST_LIMIT else f"{total:,}"


@router.get("", dependencies=READ)
async def list_executions(request: Request, runs: ExecutionServiceDep) -> Response:
    query, chosen = filters_of(request)
    rows = await runs.list_runs(query)
    context = {
        "query": query,
        "range": chosen,
        "runs": rows.items,
        "total": counted(await runs.count_runs(query)),
        "links": listing.pager_links(request, rows),
        "newest": not query.cursor,
        "newer_href": newer_href(request, max((run.id for run in rows.items), default=0)),
        "chips": chips(request),
        "without": lambda name: listing.without(request, name),
        **await choices(runs),
    }
    name = "_rows.html" if wants_fragment(request) else "list.html"
    return render(request, f"pages/executions/{name}", context)


CHIPS = (("tag", "tag"), ("session_id", "session"), ("external_id", "external id"))


def chips(request: Request) -> list[tuple[str, str]]:
    """The filters that have no control of their own, to be taken off one by one."""
    params = request.query_params
    return [(f"{label}: {params[name]}", name) for name, label in CHIPS if params.get(name)]


def newer_href(request: Request, after: int) -> str:
    params = listing.current_params(request)
    params.pop("after", None)
    return listing.href("/executions/new-count", params | {"after": after})


async def choices(runs: ExecutionService) -> dict[str, Any]:
    """What the filters offer: agents by name, models, and the fixed lists."""
    agents = AgentService(runs.session, runs.actor)
    return {
        "agents": [(str(agent_id), name) for agent_id, name in await agents.names()],
        "models": await runs.models_seen(),
        "statuses": STATUSES,
        "sources": SOURCES,
        "ranges": [
            ("1h", "Last hour"),
            ("24h", "Last 24 hours"),
            ("7d", "Last 7 days"),
            ("30d", "Last 30 days"),
        ],
    }


@router.get("/new-count", dependencies=READ)
async def count_new(
    request: Request,
    runs: ExecutionServiceDep,
    after: Annotated[int, Query(ge=0, le=MAX_BIGINT)],
) -> Response:
    """How many matching runs came since the list was drawn: the "12 new: show" line."""
    query, _ = filters_of(request)
    count = await runs.count_newer(
        ExecutionFilters(**query.model_dump(exclude={"cursor", "limit", "ids"})), after
    )
    params = listing.current_params(request)
    params.pop("after", None)
    context = {
        "count": counted(count) if count else "",
        "href": listing.href("/executions", params),
    }
    return render(request, "pages/executions/_new.html", context)


@router.post("/{execution_id}/delete", dependencies=DELETE)
async def delete_execution(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    await runs.delete(execution_id)
    return redirect(request, "/executions", "trashed", f"executions:{execution_id}")
