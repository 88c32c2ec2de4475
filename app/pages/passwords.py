"""A forgotten password, and the links of resets and invitations. Open to everyone."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from app.api import mails
from app.api.attempts import claim_attempt, reset_subjects
from app.core.texts import lazy
from app.exceptions import AppError, TooManyRequests
from app.models import AttemptKind, TokenPurpose
from app.pages import forms
from app.pages.deps import OpenUserTokenServiceDep
from app.pages.render import redirect, render
from app.schemas.users import NewPassword

router = APIRouter(prefix="/password")
Typed = Annotated[str, StringConstraints(max_length=1024)]
TITLES = {
    TokenPurpose.INVITATION: lazy("Choose your password"),
    TokenPurpose.PASSWORD_RESET: lazy("Choose a new password"),
}


def forgot_page(request: Request, error: AppError | None = None, *, sent: bool = False) -> Response:
    context = {"error": error.message if error else None, "sent": sent}
    status, headers = (error.status, error.headers) if error else (200, {})
    return render(request, "pages/passwords/forgot.html", context, status, headers)


@router.get("/forgot")
async def show_forgot(request: Request) -> Response:
    return forgot_page(request)


@router.post("/forgot")
async def request_reset(
    request: Request,
    tokens: OpenUserTokenServiceDep,
    email: Annotated[Typed, Form()] = "",
) -> Response:
    """The same answer whether or not there is such an account."""
    email = email.replace("\x00", "").strip()
    try:
        await claim_attempt(request, AttemptKind.RESET, reset_subjects(request, email))
    except TooManyRequests as error:
        return forgot_page(request, error)
    await mails.request_reset(request, tokens, email)
    return forgot_page(request, sent=True)


@router.get("/set")
async def show_set_password(
    request: Request, tokens: OpenUserTokenServiceDep, token: Annotated[Typed, Query()] = ""
) -> Response:
    row = await tokens.get(token)
    context = {
        "title": TITLES[row.purpose],
        "user": row.user,
        "token": token,
        "form": forms.Form({}),
    }
    return render(
        request, "pages/passwords/set.html", context, headers={"Cache-Control": "no-store"}
    )


@router.post("/set")
async def set_password(request: Request, tokens: OpenUserTokenServiceDep) -> Response:
    values = forms.typed(await request.form())
    token = str(values.pop("token", ""))[:1024]
    row = await tokens.get(token)
    data, form = forms.parse(NewPassword, values)
    form.values.clear()  # a password is never sent back
    if data is None:
        context = {"title": TITLES[row.purpose], "user": row.user, "token": token, "form": form}
        return render(request, "pages/passwords/set.html", context, 422)
    await tokens.redeem(token, data)
    return redirect(request, "/login?done=password")
