"""The page of a run: its steps as a tree, what was said, and the step that is looked at."""

from asyncio import to_thread
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.models import Execution, ExecutionBody
from app.models.executions import OPEN_STATUSES
from app.models.spans import SpanStatus
from app.pages import listing
from app.pages.cost_view import cost_view, count_unpriced
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.execution_feedback import feedback_context
from app.pages.render import render, wants_fragment
from app.pages.run_conversation import conversation_in, words_of
from app.pages.step_view import step_view
from app.pages.trace_view import Trace, trace_of
from app.schemas.base import MAX_BIGINT
from app.schemas.executions import MAX_SPANS
from app.services.call_checks import check_calls, offered_in
from app.services.conversation import Turn, untold
from app.services.executions import ExecutionService
from app.services.pricing import current_book
from app.services.spans import SpanService

router = APIRouter(prefix="/executions")
ExecutionId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
READ = [requires(Permission.EXECUTIONS_READ)]
MORE_STEPS, MORE_TURNS = 1_000, 500
# What htmx names as its target, and the part of the page that belongs there.
PARTS = {"section#trace-panel": "_trace.html", "div#side": "_side.html"}


class Asked(BaseModel):
    """What of a run its page shows; a long run is drawn in part at first."""

    span: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    view: Literal["conversation", "step", "attributes", "raw"] = "step"
    find: Annotated[str, Field(max_length=200)] = ""
    only: Literal["errors"] | None = None
    steps: Annotated[int, Field(ge=1, le=2 * MAX_SPANS)] = 300
    turns: Annotated[int, Field(ge=1, le=MAX_BIGINT // 2)] = 100
    words: Literal["formatted", "written"] | None = None


@router.get("/{execution_id}", dependencies=READ)
async def show_execution(
    request: Request, execution_id: ExecutionId, runs: ExecutionServiceDep
) -> Response:
    """The run; while it is open, its page fetches all but the frame again and again."""
    asked = listing.query_of(request, Asked)
    execution = await runs.get(execution_id)
    context = {"run": execution, "asked": asked, **links_of(request, asked)}
    part = PARTS.get(request.headers.get("hx-target", "")) if wants_fragment(request) else None
    steps = await SpanService(runs.session, runs.actor).outline(execution)
    context |= await trace_context(runs, execution, asked, steps)
    if part != "_trace.html":
        context |= await side_context(runs, execution, context["trace"], asked, steps)
        context |= await about(runs, execution)
    name = part or ("_run.html" if wants_fragment(request) else "detail.html")
    return await to_thread(render, request, f"pages/executions/{name}", context)


async def trace_context(
    runs: ExecutionService, execution: Execution, asked: Asked, spans: Sequence[Any]
) -> dict[str, Any]:
    hits = await hits_of(SpanService(runs.session, runs.actor), execution, spans, asked)
    trace = await to_thread(trace_of, spans, asked.span, asked.steps, hits)
    return {
        "trace": trace,
        "view": asked.view if trace.selected else "conversation",
        "unpriced": count_unpriced(spans),
        "truncated": execution.span_count > len(spans),
        "max_spans": MAX_SPANS,
    }


async def hits_of(
    steps: SpanService, execution: Execution, spans: Sequence[Any], asked: Asked
) -> set[bytes] | None:
    """The steps that were asked for; ``None`` for all of them."""
    words = asked.find.strip()
    if not words and asked.only is None:
        return None
    found = await steps.holding(execution, words) if words else {span.span_id for span in spans}
    failed = {span.span_id for span in spans if span.status is SpanStatus.ERROR}
    return found & failed if asked.only else found


def links_of(request: Request, asked: Asked) -> dict[str, Any]:
    """This page in other states; ``step_href`` lacks the id of a step at its end."""
    path, params = request.url.path, listing.current_params(request)
    kept = {key: value for key, value in params.items() if key not in ("span", "view")}
    more = {"steps": asked.steps + MORE_STEPS, "turns": asked.turns + MORE_TURNS}
    kept_query = listing.href("", kept)
    return {
        "step_href": f"{kept_query}&span=" if kept else "?span=",
        "bare_href": listing.href(path, kept),
        "all_href": listing.href(path, params | {"only": None, "find": None}),
        "errors_href": listing.href(path, params | {"only": None if asked.only else "errors"}),
        "view_hrefs": {
            view: listing.href(path, params | {"view": view})
            for view in ("conversation", "step", "attributes", "raw")
        },
        "words_hrefs": {
            words: listing.href(path, params | {"words": words})
            for words in ("formatted", "written")
        },
        "more_href": {
            part: listing.href(path, params | {part: number}) for part, number in more.items()
        },
    }


async def side_context(
    runs: ExecutionService,
    execution: Execution,
    trace: Trace,
    asked: Asked,
    steps: Sequence[Any],
) -> dict[str, Any]:
    """The conversation, or the one step that is looked at."""
    body = await runs.find_body(execution)
    offered = offered_in(await runs.offered_tools(execution))
    context: dict[str, Any] = {
        "body": body,
        "may_price": runs.actor.may(Permission.PRICES_MANAGE),
        "step": None,
    }
    if trace.selected is not None and asked.view != "conversation":
        reader = SpanService(runs.session, runs.actor)
        full = await reader.with_body(execution, trace.selected.span)
        cost = cost_view(full, await current_book(runs.session))
        step = await to_thread(step_view, full, offered)
        words = words_of([*step.given, *step.said], asked.words)
        return context | {"step": step, "cost": cost, "words": words}
    said = await conversation_in(
        SpanService(runs.session, runs.actor), execution, steps, asked.turns
    )
    turns = said.turns
    await to_thread(check_calls, turns[: asked.turns], offered)
    ends = untold_ends(body, turns) if body else []
    told = [turn for end in ends for turn in end[1]]
    words = words_of([*turns[: asked.turns], *told], asked.words)
    return context | {"turns": turns, "is_whole": said.is_whole, "ends": ends, "words": words}


def untold_ends(body: ExecutionBody, turns: list[Turn]) -> list[tuple[str, list[Turn]]]:
    """What the run itself took and gave and no turn says; its instructions become the first turns,
    which many agents tell beside their steps.
    """
    left = []
    sides = (
        (_("Input of the run"), body.input, "user"),
        (_("Output of the run"), body.output, "assistant"),
    )
    for label, value, role in sides:
        rest = [] if value is None else untold(value, role, turns)
        instructions = [turn for turn in rest if turn.role == "system" and turns]
        turns[:0] = instructions
        if len(rest) > len(instructions):
            left.append((label, [turn for turn in rest if turn not in instructions]))
    return left


async def about(runs: ExecutionService, execution: Execution) -> dict[str, Any]:
    """The head of the page: who sent the run, how long others took, what may be done to it."""
    return {
        **await feedback_context(runs, execution),
        "reporter": await runs.reporter(execution),
        "median_ms": await runs.median_latency_ms(execution.agent_id),
        "may_delete": runs.actor.may(Permission.EXECUTIONS_DELETE),
        "may_run": runs.actor.may(Permission.AGENTS_RUN),
        "is_open": execution.status in OPEN_STATUSES,
    }
