"""The page that shows two runs beside each other."""

from asyncio import to_thread
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import _
from app.exceptions import AppError, NotFound
from app.models import Execution
from app.pages import listing
from app.pages.comparison_view import (
    StepPair,
    TurnPair,
    counts_of,
    differences,
    figures_of,
    step_pairs,
    turn_pairs,
)
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.diffs import SnapshotDiff, diff_snapshots
from app.pages.render import render
from app.services.agent_revisions import AgentRevisionService
from app.services.comparisons import MAX_STEPS, ComparisonService
from app.services.conversation import conversation_of
from app.services.executions import ExecutionService
from app.services.spans import FullSpan, SpanService

router = APIRouter(prefix="/executions")
READ = [requires(Permission.EXECUTIONS_READ)]
Reference = Annotated[str, Field(max_length=500)]


class Compared(BaseModel):
    """Two runs, and what of them is shown. ``ids`` are two ticked in a list, the newer first."""

    left: Reference = ""
    right: Reference = ""
    ids: list[Reference] = []
    view: Literal["steps", "conversation"] = "steps"
    only: Literal["differences"] | None = None
    step: Annotated[int, Field(ge=0, le=2 * MAX_STEPS)] | None = None


@router.get("/compare", dependencies=READ)
async def compare_executions(request: Request, runs: ExecutionServiceDep) -> Response:
    """Two runs, or the form that asks for the one that is missing."""
    asked = listing.query_of(request, Compared, frozenset({"ids"}))
    left, right, problem = await both_of(ComparisonService(runs.session, runs.actor), asked)
    context = {"left": left, "right": right, "asked": asked, "problem": problem}
    if left is None or right is None:
        status = 422 if problem else 200
        return render(request, "pages/executions/compare_which.html", context, status)
    context |= await compared(request, runs, left, right, asked)
    return render(request, "pages/executions/compare.html", context)


async def both_of(
    comparisons: ComparisonService, asked: Compared
) -> tuple[Execution | None, Execution | None, str]:
    """The runs that were found, and what is wrong with a reference that leads to none."""
    if len(asked.ids) > 2:
        return None, None, _("Two runs are compared: tick no more than two.")
    ticked = [*asked.ids, "", ""]
    left_said, right_said = asked.left or ticked[1], asked.right or ticked[0]
    left: Execution | None = None
    right: Execution | None = None
    try:
        right = await comparisons.find(right_said) if right_said else None
        left = await comparisons.find(left_said, beside=right) if left_said else None
    except AppError as error:
        return left, right, error.message
    return left, right, ""


async def compared(
    request: Request,
    runs: ExecutionService,
    left: Execution,
    right: Execution,
    asked: Compared,
) -> dict[str, Any]:
    comparisons = ComparisonService(runs.session, runs.actor)
    pairs = step_pairs(await comparisons.steps(left), await comparisons.steps(right))
    return {
        "figures": figures_of(left, right),
        "revisions": await revisions_of(runs, left, right),
        "pairs": [pair for pair in pairs if asked.only is None or pair.state != "same"],
        "counts": counts_of(pairs),
        "chosen": next((pair for pair in pairs if pair.number == asked.step), None),
        **await texts_of(runs, left, right, asked, pairs),
        **links_of(request, left, right, asked),
        "max_steps": MAX_STEPS,
        "truncated": max(left.span_count, right.span_count) > MAX_STEPS,
    }


async def texts_of(
    runs: ExecutionService,
    left: Execution,
    right: Execution,
    asked: Compared,
    pairs: list[StepPair],
) -> dict[str, Any]:
    """The conversations, or the difference of the step that is looked at: never both."""
    steps = SpanService(runs.session, runs.actor)
    if asked.view == "conversation":
        both = [await steps.with_bodies(run, MAX_STEPS) for run in (left, right)]
        # In a thread, so that others are served while long texts are compared.
        return {"turns": await to_thread(turns_beside, *both), "texts": []}
    chosen = next((pair for pair in pairs if pair.number == asked.step), None)
    sides: list[FullSpan | None] = [None, None]
    if chosen is not None:
        for n, (run, side) in enumerate(((left, chosen.left), (right, chosen.right))):
            sides[n] = None if side is None else await steps.with_body(run, side.span)
    return {"turns": [], "texts": await to_thread(differences, *sides)}


def turns_beside(left: Sequence[FullSpan], right: Sequence[FullSpan]) -> list[TurnPair]:
    return turn_pairs(conversation_of(left), conversation_of(right))


async def revisions_of(
    runs: ExecutionService, left: Execution, right: Execution
) -> SnapshotDiff | None:
    """What changed between the revisions that ran; ``None`` where that cannot be said."""
    old, new = left.agent_revision, right.agent_revision
    is_one_agent = left.agent_id == right.agent_id
    if old is None or new is None or not is_one_agent or old.number == new.number:
        return None
    if not runs.actor.may(Permission.AGENTS_READ):
        return None
    service = AgentRevisionService(runs.session, runs.actor)
    try:
        before = await service.get(left.agent, old.number)
        return diff_snapshots(before, await service.get(right.agent, new.number))
    except NotFound:
        return None


def links_of(
    request: Request, left: Execution, right: Execution, asked: Compared
) -> dict[str, Any]:
    path, runs = request.url.path, {"left": left.id, "right": right.id}
    kept = runs | {"only": asked.only}
    return {
        "swap_href": listing.href(path, {"left": right.id, "right": left.id}),
        "only_href": listing.href(path, runs | {"only": None if asked.only else "differences"}),
        "step_href": listing.href(path, kept) + "&step=",
        "steps_href": listing.href(path, kept),
        "conversation_href": listing.href(path, runs | {"view": "conversation"}),
    }
