"""All that is kept of a person, to hand out; and the end of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.exceptions import AppError
from app.models import User
from app.pages import exports, forms
from app.pages.deps import ErasureServiceDep, recently_authenticated, requires
from app.pages.render import redirect, render
from app.schemas.base import MAX_BIGINT
from app.schemas.exports import ExportFormat
from app.services.erasures import ErasureService
from app.services.person_exports import all_of_person

router = APIRouter(prefix="/users")
UserId = Annotated[int, Path(ge=1, le=MAX_BIGINT)]
MANAGE = [requires(Permission.USERS_MANAGE), recently_authenticated]


@router.get("/{user_id}/export", dependencies=MANAGE)
async def export_person(request: Request, user_id: UserId, erasures: ErasureServiceDep) -> Response:
    """Everything, as JSON lines; without secrets."""
    await erasures.person(user_id)
    export = all_of_person(user_id)
    return await exports.answer(request, erasures.actor, export, ExportFormat.JSONL)


@router.get("/{user_id}/erase", dependencies=MANAGE)
async def show_erasure(request: Request, user_id: UserId, erasures: ErasureServiceDep) -> Response:
    user = await erasures.person(user_id)
    return await page(request, erasures, user, forms.Form({}))


async def page(
    request: Request, erasures: ErasureService, user: User, form: forms.Form
) -> Response:
    context = {"user": user, "plan": await erasures.plan(user), "form": form}
    return render(request, "pages/users/erase.html", context, 422 if form.errors else 200)


@router.post("/{user_id}/erase", dependencies=MANAGE)
async def erase_person(request: Request, user_id: UserId, erasures: ErasureServiceDep) -> Response:
    form = forms.Form(forms.typed(await request.form()))
    user = await erasures.person(user_id)
    try:
        async with erasures.session.begin_nested():
            await erasures.erase(user, form.values["confirmation"])
    except AppError as error:
        return await page(request, erasures, user, forms.refuse(form, error))
    return redirect(request, "/users", "erased")
