"""The two cookies of the back office: the session, and the browser that logged in before."""

import secrets

from starlette.requests import Request
from starlette.responses import Response

from app.api.attempts import DEVICE_AGE_S, device_cookie_name, known_device
from app.api.deps import cookie_name, session_token
from app.core.config import Settings
from app.core.security import DEVICE_SALT, Signer


def set_session_cookie(response: Response, settings: Settings, token: str) -> None:
    response.set_cookie(
        cookie_name(settings),
        Signer(settings.signing_keys()).sign(token),
        max_age=settings.session_absolute_hours * 3600,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.secure_cookies, httponly=True
    )


def set_device_cookie(request: Request, response: Response, settings: Settings, email: str) -> None:
    """Remember that this account logged in here; the same device keeps its id."""
    device = known_device(request, settings, email) or secrets.token_urlsafe(16)
    response.set_cookie(
        device_cookie_name(settings),
        Signer(settings.signing_keys(), DEVICE_SALT).sign(f"{device}:{email.lower()}"),
        max_age=DEVICE_AGE_S,
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def current_token(request: Request) -> str | None:
    """The session's token, the new one where this request has renewed it."""
    settings: Settings = request.app.state.settings
    renewed: str | None = getattr(request.state, "renewed_token", None)
    return renewed or session_token(request, settings)


def keep_renewed_session(request: Request, response: Response) -> None:
    """A session renewed by this request goes on in the browser under its new token."""
    renewed: str | None = getattr(request.state, "renewed_token", None)
    if renewed is not None:
        set_session_cookie(response, request.app.state.settings, renewed)
