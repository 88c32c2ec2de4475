"""Links by mail, sent after the commit; a mail that fails never fails the request."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode

import aiosmtplib
import structlog
from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import after_commit
from app.core.mail import Mailer
from app.core.templating import Templates
from app.models import TokenPurpose, User

log = structlog.get_logger("greenroom.mail")
RETRY_AFTER_S = (1, 5, 30)
SUBJECTS: Mapping[TokenPurpose, str] = {
    TokenPurpose.INVITATION: "You are invited to {name}",
    TokenPurpose.PASSWORD_RESET: "Set a new password for {name}",
}


def link_to(request: Request, settings: Settings, token: str) -> str:
    """Where the token works. The host was checked against the allowed ones already."""
    origin = settings.public_origin or str(request.base_url).rstrip("/")
    return f"{origin}/password/set?{urlencode({'token': token})}"


def send_link(
    request: Request, session: AsyncSession, purpose: TokenPurpose, user: User, link: str
) -> bool:
    """Whether a mail will go out once this unit of work is committed; else the link is logged."""
    settings: Settings = request.app.state.settings
    templates: Templates = request.app.state.templates
    mailer = Mailer(settings)
    if not mailer.configured:
        after_commit(session, lambda: log_link(purpose, user.id, link))
        return False
    subject = SUBJECTS[purpose].format(name=settings.project_name)
    text = templates.render(
        f"mail/{purpose.value}.txt", {"user": user, "link": link, "settings": settings}
    )
    to = user.email
    after_commit(session, lambda: start(request, deliver(mailer, to, subject, text)))
    return True


def log_link(purpose: TokenPurpose, user_id: int, link: str) -> None:
    """Whoever runs the server can pass it on; with a mail server it is never logged."""
    log.warning("no mail server is configured", purpose=purpose.value, user_id=user_id, link=link)


def start(request: Request, work: Coroutine[Any, Any, None]) -> None:
    """Run beside the requests; the app keeps the task, or it might be collected half-way."""
    tasks: set[asyncio.Task[None]] = request.app.state.background_tasks
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def deliver(mailer: Mailer, to: str, subject: str, text: str) -> None:
    """Try a few times; a mail that cannot be sent is logged without its address or text."""
    for pause_s in (*RETRY_AFTER_S, None):
        try:
            await mailer.send(to, subject, text)
        except (aiosmtplib.SMTPException, OSError) as error:
            log.warning("mail not sent", error=type(error).__name__, final=pause_s is None)
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        else:
            return
