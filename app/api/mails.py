"""Links by mail: a job of the request's own transaction, so none is sent for what never was."""

import structlog
from fastapi import Request

from app.core.config import Settings
from app.core.database import after_commit
from app.core.mail import Mailer
from app.models import TokenPurpose, User
from app.services.mails import MailService, password_link
from app.services.user_tokens import UserTokenService

log = structlog.get_logger("greenroom.mail")


def origin_of(request: Request, settings: Settings) -> str:
    """Where people find this server. The host was checked against the allowed ones already."""
    return settings.public_origin or str(request.base_url).rstrip("/")


async def issue_link(
    request: Request, tokens: UserTokenService, user: User, purpose: TokenPurpose
) -> str | None:
    """Send the person a new link; without a mail server it is logged, and returned to be shown.

    The mail goes out once this unit of work is committed.
    """
    settings: Settings = request.app.state.settings
    token, origin = await tokens.issue(user, purpose), origin_of(request, settings)
    if Mailer(settings).configured:
        mails = MailService(tokens.session, tokens.actor, settings)
        await mails.send_link(user, purpose, origin, token)
        return None
    link = password_link(origin, token)
    after_commit(tokens.session, lambda: log_link(purpose, user.id, link))
    return link


async def request_reset(request: Request, tokens: UserTokenService, email: str) -> None:
    """Send a link to whoever has this address; nothing tells whether anyone has."""
    settings: Settings = request.app.state.settings
    if Mailer(settings).configured:
        mails = MailService(tokens.session, tokens.actor, settings)
        await mails.send_reset(email, origin_of(request, settings))
    elif (user := await tokens.person_to_reset(email)) is not None:
        await issue_link(request, tokens, user, TokenPurpose.PASSWORD_RESET)


def log_link(purpose: TokenPurpose, user_id: int, link: str) -> None:
    """Whoever runs the server can pass it on; with a mail server it is never logged."""
    log.warning("no mail server is configured", purpose=purpose.value, user_id=user_id, link=link)
