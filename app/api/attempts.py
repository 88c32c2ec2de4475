"""The door of every login: a try is claimed first, and given back when it succeeds."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import Request

from app.api.deps import client_ip
from app.core.actor import Actor
from app.core.addresses import counted_as
from app.core.config import Settings
from app.core.database import Database
from app.core.security import DEVICE_SALT, Signer
from app.models import AttemptKind
from app.services.login_attempts import EVERYONE, LoginAttemptService
from app.services.logins import LoginService

DEVICE_DAYS = 180
DEVICE_AGE_S = DEVICE_DAYS * 86_400
SECURE_DEVICE_COOKIE, PLAIN_DEVICE_COOKIE = "__Host-greenroom-device", "greenroom-device"
NO_ADDRESS = "unknown"


def device_cookie_name(settings: Settings) -> str:
    return SECURE_DEVICE_COOKIE if settings.secure_cookies else PLAIN_DEVICE_COOKIE


def known_device(request: Request, settings: Settings, email: str) -> str | None:
    """The id of this browser if this account logged in on it before."""
    cookie = request.cookies.get(device_cookie_name(settings), "")
    signer = Signer(settings.signing_keys(), DEVICE_SALT)
    device, _, owner = (signer.unsign(cookie[:1024], DEVICE_AGE_S) or "").partition(":")
    return device if device and owner == email.lower() else None


def subjects_of(request: Request, settings: Settings, email: str) -> Mapping[str, str]:
    """Whom a try of a password counts against."""
    device = known_device(request, settings, email)
    if device is not None:
        return {"device": device}
    return reset_subjects(request, email)


def factor_subjects(request: Request, email: str) -> Mapping[str, str]:
    """Whom a try of a code counts against; knowing the device helps nobody here."""
    return {"account": email.lower(), "address": counted_as(client_ip(request) or NO_ADDRESS)}


def own_subjects(actor: Actor) -> Mapping[str, str]:
    """A guess by who is logged in already; it must not lock that person's logins."""
    return {"device": f"user:{actor.user_id}"}


def reset_subjects(request: Request, email: str) -> Mapping[str, str]:
    """Whom the request of a link counts against."""
    return {**factor_subjects(request, email), EVERYONE: EVERYONE}


async def claim_attempt(
    request: Request, kind: AttemptKind, subjects: Mapping[str, str]
) -> list[int]:
    """Count a try, in a unit of work of its own: a request rolled back does not undo it.

    The ids are given back in the request's session once the try has succeeded. Raises
    ``TooManyRequests``.
    """
    database: Database = request.app.state.database
    async with database.beside() as session:
        return await LoginAttemptService(session, request.app.state.settings).claim(kind, subjects)


@asynccontextmanager
async def own_try(request: Request, logins: LoginService, actor: Actor) -> AsyncIterator[None]:
    """Count a guess of one's own password before the block, and give it back where that ends well.

    Whoever took a session over must not lock the person's logins by it. Raises ``TooManyRequests``.
    """
    attempts = await claim_attempt(request, AttemptKind.PASSWORD, own_subjects(actor))
    yield
    await logins.give_back(attempts)
