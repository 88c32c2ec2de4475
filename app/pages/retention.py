"""How long what is kept, what would go today, and the word to go on."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import AppError
from app.pages import forms
from app.pages.deps import RetentionServiceDep, recently_authenticated, requires
from app.pages.render import redirect, render
from app.services.retention import RetentionService

router = APIRouter(prefix="/retention")
MANAGE = requires(Permission.SETTINGS_MANAGE)
NOT_CONFIRMED = lazy("Say that you have read what goes.")


@router.get("", dependencies=[MANAGE])
async def show_retention(request: Request, retention: RetentionServiceDep) -> Response:
    return await page(request, retention, forms.Form({}))


async def page(request: Request, retention: RetentionService, form: forms.Form) -> Response:
    context = {
        "plan": await retention.plan(),
        "settings": retention.settings,
        "job": await retention.newest(),
        "form": form,
    }
    return render(request, "pages/retention/detail.html", context, 422 if form.errors else 200)


@router.post("/apply", dependencies=[MANAGE, recently_authenticated])
async def apply_retention(request: Request, retention: RetentionServiceDep) -> Response:
    form = forms.Form(forms.typed(await request.form()))
    if form.values["confirm"] != "yes":
        form.errors["confirm"] = str(NOT_CONFIRMED)
        return await page(request, retention, form)
    try:
        async with retention.session.begin_nested():
            job = await retention.start(await retention.plan())
    except AppError as error:
        return await page(request, retention, forms.refuse(form, error))
    return redirect(request, f"/jobs/{job.id}", "queued")
