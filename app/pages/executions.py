"""Runs on pages: the list that is found by filters, and the trace."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.permissions import Permission
from app.models import Execution
from app.models.executions import OPEN_STATUSES, ExecutionSource, ExecutionStatus
from app.pages import forms, listing
from app.pages.cost_view import cost_view, count_unpriced
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.pages.trace_view import Trace, trace_of
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import MAX_SPANS, ExecutionFilters, ExecutionQuery
from app.schemas.feedback import FeedbackCreate
from app.services.agents import AgentService
from app.services.conversation import conversation_of, told
from app.services.execution_reads import LIST_LIMIT
from app.services.executions import ExecutionService
from app.services.feedback import FeedbackService
from app.services.pricing import current_book
from app.services.spans import FullSpan, SpanService

router = APIRouter(prefix="/executions")
ExecutionId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]
DELETE = [requires(Permission.EXECUTIONS_DELETE)]
PAGE_SIZE = 50
MORE_STEPS, MORE_TURNS = 1_000, 500
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


class Shown(BaseModel):
    """How much of a long run its page draws at first."""

    steps: Annotated[int, Field(ge=1, le=2 * MAX_SPANS)] = 300
    turns: Annotated[int, Field(ge=1, le=MAX_BIGINT // 2)] = 100


FIRST = Shown()


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


@router.get("/{execution_id}", dependencies=READ)
async def show_execution(
    request: Request,
    execution_id: ExecutionId,
    runs: ExecutionServiceDep,
    span: Annotated[str | None, Query(max_length=16)] = None,
    shown: Annotated[Shown, Query()] = FIRST,
) -> Response:
    """The run; while it is open, its page fetches all but the frame again and again."""
    execution = await runs.get(execution_id)
    spans = await SpanService(runs.session, runs.actor).with_bodies(execution)
    body, turns = await runs.find_body(execution), conversation_of(spans)
    ends = [("Input", body.input, "user"), ("Output", body.output, "assistant")] if body else []
    trace = trace_of(spans, span, shown.steps)
    context = {
        "run": execution,
        "body": body,
        "trace": trace,
        **await cost_context(runs, spans, trace),
        "turns": turns,
        **shown_context(request, shown),
        "ends": [end for end in ends if end[1] is not None and not told(end[1], end[2], turns)],
        "truncated": execution.span_count > len(spans),
        "max_spans": MAX_SPANS,
        **await feedback_context(runs, execution),
        "reporter": await runs.reporter(execution),
        "median_ms": await runs.median_latency_ms(execution.agent_id),
        "may_delete": runs.actor.may(Permission.EXECUTIONS_DELETE),
        "may_run": runs.actor.may(Permission.AGENTS_RUN),
        "is_open": execution.status in OPEN_STATUSES,
        "here": listing.here(request),
    }
    name = "_run.html" if wants_fragment(request) else "detail.html"
    return render(request, f"pages/executions/{name}", context)


def shown_context(request: Request, shown: Shown) -> dict[str, Any]:
    """How much of a long run is drawn, and where there is more of it."""
    params = listing.current_params(request)
    more = {"steps": shown.steps + MORE_STEPS, "turns": shown.turns + MORE_TURNS}
    return {
        "shown": shown,
        "more_href": {
            part: listing.href(request.url.path, params | {part: number})
            for part, number in more.items()
        },
    }


async def cost_context(
    runs: ExecutionService, spans: Sequence[FullSpan], trace: Trace
) -> dict[str, Any]:
    """How the cost of the chosen step came about, computed now, and how many have none."""
    chosen = trace.selected
    book = await current_book(runs.session) if chosen is not None else None
    return {
        "cost": cost_view(chosen.span, book) if chosen and book else None,
        "unpriced": count_unpriced(spans),
        "may_price": runs.actor.may(Permission.PRICES_MANAGE),
    }


async def feedback_context(runs: ExecutionService, execution: Execution) -> dict[str, Any]:
    """What was said of the run and by whom, and whether one may say more."""
    feedback = FeedbackService(runs.session, runs.actor)
    given = await feedback.of(execution)
    return {
        "feedback": given,
        "givers": await feedback.givers(given),
        "may_write": runs.actor.may(Permission.EXECUTIONS_WRITE),
    }


@router.get("/{execution_id}/feedback", dependencies=WRITE)
async def ask_for_feedback(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    form = forms.Form({"name": "rating"})
    return feedback_page(request, await runs.get(execution_id), form)


@router.post("/{execution_id}/feedback", dependencies=WRITE)
async def give_feedback(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    execution = await runs.get(execution_id)
    typed = {k: v or None for k, v in forms.typed(await request.form()).items()}
    data, form = forms.parse(FeedbackCreate, typed)
    if data is None:
        return feedback_page(request, execution, form, 422)
    await FeedbackService(runs.session, runs.actor).give(execution, data)
    return redirect(request, f"/executions/{execution_id}", "saved")


def feedback_page(
    request: Request, execution: Execution, form: forms.Form, status: int = 200
) -> Response:
    context = {"run": execution, "form": form}
    return render(request, "pages/executions/feedback.html", context, status)


@router.post("/{execution_id}/delete", dependencies=DELETE)
async def delete_execution(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    await runs.delete(execution_id)
    return redirect(request, "/executions", "trashed", f"executions:{execution_id}")
