"""Log in, with a second factor where there is one; log out; confirm who is asking."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import StringConstraints
from starlette.responses import Response

from app.api.attempts import claim_attempt, factor_subjects, subjects_of
from app.api.deps import SessionDep, SettingsDep, find_staff, session_token
from app.core.actor import Via
from app.core.security import LOGIN_STEP_SALT, Signer
from app.core.texts import lazy
from app.exceptions import AppError, TooManyRequests, Unauthorized
from app.models import AttemptKind, User
from app.pages.cookies import clear_session_cookie, set_device_cookie, set_session_cookie
from app.pages.deps import (
    LoginServiceDep,
    ReauthenticateDep,
    StaffSessionServiceDep,
)
from app.pages.render import local_path, redirect, render
from app.services.logins import LoginService
from app.services.staff_sessions import StaffSessionService

router = APIRouter()
Typed = Annotated[str, StringConstraints(max_length=1024), Form()]
STEP_AGE_S = 300
START_AGAIN = lazy("That took too long, or your password has changed. Sign in again.")


def login_page(request: Request, values: dict[str, Any], error: AppError | None = None) -> Response:
    context = {
        "values": values,
        "name": request.app.state.settings.project_name,
        "message": request.app.state.settings.sign_in_message,
        "error": error.message if error else None,
        "next": local_path(values.get("next")),
    }
    status, headers = (error.status, error.headers) if error else (200, {})
    return render(request, "pages/login/form.html", context, status, without_challenge(headers))


def without_challenge(headers: dict[str, str]) -> dict[str, str]:
    """A page asks with its form; the header would make the browser ask too."""
    return {name: value for name, value in headers.items() if name != "WWW-Authenticate"}


@router.get("/login")
async def show_login(request: Request, session: SessionDep, settings: SettingsDep) -> Response:
    target = local_path(request.query_params.get("next"))
    if await find_staff(request, session, settings, Via.PAGE):
        return redirect(request, target)
    return login_page(request, {"next": target})


@router.post("/login")
async def log_in(
    request: Request,
    logins: LoginServiceDep,
    email: Typed = "",
    password: Typed = "",
    next: Typed = "/",  # noqa: A002  (the field's name in the form)
) -> Response:
    """The first step. Wrong credentials are on record too."""
    email = email.replace("\x00", "").strip()
    values = {"email": email, "next": next}
    try:
        subjects = subjects_of(request, logins.settings, email)
        attempts = await claim_attempt(request, AttemptKind.PASSWORD, subjects)
    except TooManyRequests as error:
        return login_page(request, values, error)
    try:
        user = await logins.check_password(email, password, back_office=True)
    except Unauthorized as error:
        logins.record_refusal(email)
        return login_page(request, values, error)
    if user.has_second_factor:
        await logins.give_back(attempts)
        return code_page(request, step_token(logins, user), next)
    return await let_in(request, logins, user, attempts, next)


def step_token(logins: LoginService, user: User) -> str:
    """Proof of the first step, for a few minutes and only while the password stays the same."""
    keys = logins.settings.signing_keys()
    return Signer(keys, LOGIN_STEP_SALT).sign(logins.step_of(user))


def code_page(request: Request, step: str, target: str, error: AppError | None = None) -> Response:
    context = {
        "step": step,
        "next": local_path(target),
        "error": error.message if error else None,
    }
    status, headers = (error.status, error.headers) if error else (200, {})
    return render(request, "pages/login/code.html", context, status, without_challenge(headers))


@router.post("/login/code")
async def log_in_with_code(
    request: Request,
    logins: LoginServiceDep,
    step: Typed = "",
    code: Typed = "",
    next: Typed = "/",  # noqa: A002  (the field's name in the form)
) -> Response:
    """The second step."""
    keys = logins.settings.signing_keys()
    proven = Signer(keys, LOGIN_STEP_SALT).unsign(step, STEP_AGE_S)
    if proven is None:  # no try of anyone's code, so none is counted
        return login_page(request, {"next": next}, Unauthorized(START_AGAIN))
    subjects = factor_subjects(request, proven.rpartition(":")[0])
    try:
        attempts = await claim_attempt(request, AttemptKind.SECOND_FACTOR, subjects)
    except TooManyRequests as error:
        return code_page(request, step, next, error)
    user = await logins.user_of_step(proven)
    if user is None:
        return login_page(request, {"next": next}, Unauthorized(START_AGAIN))
    try:
        await logins.check_code(user, code)
    except Unauthorized as error:
        logins.record_refusal(user.email, "second_factor_refused")
        return code_page(request, step, next, error)
    return await let_in(request, logins, user, attempts, next)


async def let_in(
    request: Request, logins: LoginService, user: User, attempts: list[int], target: str
) -> Response:
    """A new session, whatever the browser had before."""
    settings = logins.settings
    await logins.succeed(user, attempts)
    sessions = StaffSessionService(logins.session, logins.actor, settings)
    token = await sessions.open(user, request.headers.get("user-agent"))
    old = session_token(request, settings)
    if old is not None:
        await sessions.log_out(old)
    response = redirect(request, local_path(target))
    set_session_cookie(response, settings, token)
    set_device_cookie(request, response, settings, user.email)
    return response


@router.post("/logout")
async def log_out(
    request: Request, sessions: StaffSessionServiceDep, settings: SettingsDep
) -> Response:
    token = session_token(request, settings)
    if token is not None:
        await sessions.log_out(token)
    response = redirect(request, "/login")
    clear_session_cookie(response, settings)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.post("/reauthenticate")
async def reauthenticate(
    request: Request,
    confirm: ReauthenticateDep,
    reauthentication_password: Typed = "",
    next: Typed = "/",  # noqa: A002  (the field's name in the form)
) -> Response:
    """Prove anew who is asking, then go on to the page that wanted it."""
    try:
        await confirm(reauthentication_password)
    except (Unauthorized, TooManyRequests) as error:
        context = {
            "message": error.message,
            "action": "/reauthenticate",
            "fields": (),
            "next": local_path(next),
        }
        return render(request, "pages/login/reauthenticate.html", context, error.status)
    return redirect(request, local_path(next))
