"""Log in and out, and one's own account."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from pydantic import StringConstraints
from starlette.responses import Response

from app.api.deps import SessionDep, SettingsDep, client_ip, cookie_name, find_staff, session_token
from app.api.deps import request_id_of as request_id
from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.permissions import Role
from app.core.security import SessionSigner
from app.exceptions import AppError, Unauthorized
from app.pages import forms
from app.pages.deps import StaffDep, StaffSessionServiceDep, UserServiceDep
from app.pages.render import local_path, redirect, render
from app.schemas.base import MAX_BIGINT
from app.schemas.users import PasswordChange
from app.services.staff_sessions import StaffSessionService

router = APIRouter()
Typed = Annotated[str, StringConstraints(max_length=1024), Form()]


def anonymous(request: Request) -> Actor:
    return Actor(
        user_id=None,
        role=Role.MEMBER,
        permissions=frozenset(),
        via=Via.PAGE,
        request_id=request_id(request),
        ip=client_ip(request),
    )


def set_cookie(response: Response, settings: Settings, token: str) -> None:
    response.set_cookie(
        cookie_name(settings),
        SessionSigner(settings.signing_keys()).sign(token),
        max_age=settings.session_absolute_hours * 3600,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def login_page(
    request: Request, values: dict[str, Any], error: str | None, status: int
) -> Response:
    context = {"values": values, "error": error, "next": local_path(values.get("next"))}
    return render(request, "pages/login/form.html", context, status)


@router.get("/login")
async def show_login(request: Request, session: SessionDep, settings: SettingsDep) -> Response:
    target = local_path(request.query_params.get("next"))
    if await find_staff(request, session, settings, Via.PAGE):
        return redirect(request, target)
    return login_page(request, {"next": target}, None, 200)


@router.post("/login")
async def log_in(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    email: Typed = "",
    password: Typed = "",
    next: Typed = "/",  # noqa: A002  (the field's name in the form)
) -> Response:
    """A new session, whatever the browser had before. Wrong credentials are on record too."""
    sessions = StaffSessionService(session, anonymous(request), settings)
    email = email.replace("\x00", "").strip()
    try:
        _, token = await sessions.log_in(email, password, request.headers.get("user-agent"))
    except Unauthorized as error:
        sessions.record_refused_login(email)
        return login_page(request, {"email": email, "next": next}, error.message, 401)
    old = session_token(request, settings)
    if old is not None:
        await sessions.log_out(old)
    response = redirect(request, local_path(next))
    set_cookie(response, settings, token)
    return response


@router.post("/logout")
async def log_out(
    request: Request, sessions: StaffSessionServiceDep, settings: SettingsDep
) -> Response:
    token = session_token(request, settings)
    if token is not None:
        await sessions.log_out(token)
    response = redirect(request, "/login")
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.secure_cookies, httponly=True
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def account_page(
    request: Request,
    staff: StaffDep,
    sessions: StaffSessionServiceDep,
    form: forms.Form,
    status: int,
) -> Response:
    token = session_token(request, sessions.settings)
    own = await sessions.list_own()
    current = sessions.is_current(token)
    context = {"user": staff.user, "sessions": [(row, current(row)) for row in own], "form": form}
    return render(request, "pages/account/detail.html", context, status)


@router.get("/account")
async def show_account(
    request: Request, staff: StaffDep, sessions: StaffSessionServiceDep
) -> Response:
    return await account_page(request, staff, sessions, forms.Form({}), 200)


@router.post("/account/password")
async def change_password(
    request: Request, staff: StaffDep, users: UserServiceDep, sessions: StaffSessionServiceDep
) -> Response:
    data, form = forms.parse(PasswordChange, forms.typed(await request.form()))
    form.values.clear()  # a password is never sent back
    if data is not None:
        try:
            await users.change_own_password(data)
        except AppError as error:
            forms.refuse(form, error)
        else:
            await sessions.end_others(staff.user.id, session_token(request, sessions.settings))
            return redirect(request, "/account", "password")
    return await account_page(request, staff, sessions, form, 422)


@router.post("/account/sessions/{session_id}/end")
async def end_session(
    request: Request,
    session_id: Annotated[int, Path(ge=1, le=MAX_BIGINT)],
    sessions: StaffSessionServiceDep,
) -> Response:
    await sessions.end(session_id)
    return redirect(request, "/account", "ended")
