"""Mails on their way: written when they are sent, from a token that lay encrypted until then."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiosmtplib
import structlog

from app.core.mail import Mail, Mailer
from app.exceptions import AppError, NotFound
from app.jobs.context import GiveUp, JobContext, TryAgain
from app.models import TokenPurpose, User
from app.models.base import JsonObject
from app.services.mails import password_link
from app.services.user_tokens import UserTokenService

log = structlog.get_logger("greenroom.mail")
SUBJECTS: Mapping[TokenPurpose, str] = {
    TokenPurpose.INVITATION: "You are invited to {name}",
    TokenPurpose.PASSWORD_RESET: "Set a new password for {name}",
}
NOTHING_TO_TELL = "There was nobody to tell, or nothing to tell any more."
PERMANENT = range(500, 600)  # RFC 5321, 4.2.1


@dataclass(frozen=True, slots=True)
class Letter:
    """Who is to get which link, and why."""

    user: User
    purpose: TokenPurpose
    link: str


async def send_mail(context: JobContext) -> object:
    """Raise ``TryAgain`` or ``GiveUp`` when the mail server does not take it."""
    letter = await letter_of(context)
    if letter is None:
        return {"sent": False, "reason": NOTHING_TO_TELL}
    mailer = Mailer(context.resources.settings)
    if not mailer.configured:
        raise TryAgain("This worker has no mail server: SMTP_HOST is not set.")
    try:
        await mailer.send(written(context, letter))
    except (aiosmtplib.SMTPException, OSError) as error:
        log.warning("mail not sent", error=type(error).__name__)
        raise refusal(error) from error
    return {"sent": True}


async def letter_of(context: JobContext) -> Letter | None:
    """``None`` when there is nobody to tell, or nothing to tell them any more."""
    secret = context.secret()
    if secret is None:
        raise GiveUp("This was encrypted by a SECRET_KEY that is gone. Send a new link.")
    async with context.step() as step:
        tokens = UserTokenService(step.session, step.actor, context.resources.settings)
        found = await token_for(tokens, json.loads(secret))
        if found is None:
            return None
        user, token = found
        purpose = TokenPurpose(context.attempt.params["purpose"])
        return Letter(user, purpose, password_link(context.attempt.params["origin"], token))


async def token_for(tokens: UserTokenService, secret: JsonObject) -> tuple[User, str] | None:
    """The token that was made for someone, or a new one for who has the address."""
    if "email" in secret:
        user = await tokens.person_to_reset(secret["email"])
        if user is None:
            return None
        return user, await tokens.issue(user, TokenPurpose.PASSWORD_RESET)
    try:
        return (await tokens.get(secret["token"])).user, secret["token"]
    except NotFound:
        return None


def written(context: JobContext, letter: Letter) -> Mail:
    settings = context.resources.settings
    text = context.resources.templates.render(
        f"mail/{letter.purpose.value}.txt",
        {"user": letter.user, "link": letter.link, "settings": settings},
    )
    subject = SUBJECTS[letter.purpose].format(name=settings.project_name)
    # The same at every try: a mail that was taken twice is recognised as one.
    return Mail(letter.user.email, subject, text, f"job-{context.attempt.job_id}")


def refusal(error: Exception) -> AppError:
    """What to say of it, without the address: whether it may pass, and the server's code."""
    code = code_of(error)
    if code is None:
        return TryAgain("The mail server cannot be reached.")
    said = f"The mail server refused the mail (code {code})."
    is_login = isinstance(error, aiosmtplib.SMTPAuthenticationError)
    return GiveUp(said) if code in PERMANENT and not is_login else TryAgain(said)


def code_of(error: Exception) -> int | None:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
