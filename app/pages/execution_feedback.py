"""What people say of a run: beside its trace, or on a page of its own without JavaScript."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.models import Execution
from app.pages import forms
from app.pages.deps import ExecutionServiceDep, requires
from app.pages.render import redirect, render, wants_fragment
from app.schemas.base import MAX_BIGINT
from app.schemas.feedback import FeedbackCreate
from app.services.executions import ExecutionService
from app.services.feedback import FeedbackService

router = APIRouter(prefix="/executions/{execution_id}/feedback")
RowId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
WRITE = [requires(Permission.EXECUTIONS_WRITE)]


async def feedback_context(runs: ExecutionService, execution: Execution) -> dict[str, Any]:
    """What was said of the run and by whom, and whether one may say more."""
    feedback = FeedbackService(runs.session, runs.actor)
    given = await feedback.of(execution)
    return {
        "feedback": given,
        "givers": await feedback.givers(given),
        "may_write": runs.actor.may(Permission.EXECUTIONS_WRITE),
        "own": {row.id for row in given if feedback.is_own(row)},
    }


@router.get("", dependencies=WRITE)
async def ask_for_feedback(
    request: Request, execution_id: RowId, runs: ExecutionServiceDep
) -> Response:
    form = forms.Form({"name": "rating"})
    return feedback_page(request, await runs.get(execution_id), form)


@router.post("", dependencies=WRITE)
async def give_feedback(
    request: Request, execution_id: RowId, runs: ExecutionServiceDep
) -> Response:
    execution = await runs.get(execution_id)
    data, form = forms.parse(FeedbackCreate, await said_in(request))
    if data is None:
        return feedback_page(request, execution, form, 422)
    await FeedbackService(runs.session, runs.actor).give(execution, data)
    return await answer(request, runs, execution)


@router.post("/{feedback_id}", dependencies=WRITE)
async def change_feedback(
    request: Request, execution_id: RowId, feedback_id: RowId, runs: ExecutionServiceDep
) -> Response:
    execution = await runs.get(execution_id)
    service = FeedbackService(runs.session, runs.actor)
    await service.own(execution, feedback_id)
    said = await said_in(request)
    seen = said.pop("seen", None) or ""
    data, form = forms.parse(FeedbackCreate, said)
    if data is None:
        return feedback_page(request, execution, form, 422)
    await service.change(execution, feedback_id, data, seen)
    return await answer(request, runs, execution)


@router.post("/{feedback_id}/delete", dependencies=WRITE)
async def remove_feedback(
    request: Request, execution_id: RowId, feedback_id: RowId, runs: ExecutionServiceDep
) -> Response:
    execution = await runs.get(execution_id)
    await FeedbackService(runs.session, runs.actor).remove(execution, feedback_id)
    return await answer(request, runs, execution)


async def said_in(request: Request) -> dict[str, Any]:
    return {k: v or None for k, v in forms.typed(await request.form()).items()}


async def answer(request: Request, runs: ExecutionService, execution: Execution) -> Response:
    """The part of the run's page that shows it, or the way back to the page."""
    if not wants_fragment(request):
        return redirect(request, f"/executions/{execution.id}", "saved")
    context = {"run": execution, **await feedback_context(runs, execution)}
    return render(request, "pages/executions/_feedback.html", context)


def feedback_page(
    request: Request, execution: Execution, form: forms.Form, status: int = 200
) -> Response:
    context = {"run": execution, "form": form}
    return render(request, "pages/executions/feedback.html", context, status)
