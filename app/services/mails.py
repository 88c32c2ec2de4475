"""Mails that the product owes someone: asked for in the transaction of their reason."""

import json
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import JobKind, TokenPurpose, User
from app.models.base import JsonObject
from app.services.job_queue import JobQueue, JobRequest, box_of_jobs


def password_link(origin: str, token: str) -> str:
    """Where a one-time token works."""
    return f"{origin}/password/set?{urlencode({'token': token})}"


class MailService:
    """Links by mail. Tokens and addresses lie encrypted until then, and are shown nowhere.

    ``origin`` is where people find this server.
    """

    resource = "mails"

    def __init__(self, session: AsyncSession, actor: Actor, settings: Settings) -> None:
        self.session = session
        self.actor = actor
        self._box = box_of_jobs(settings)

    async def send_link(self, user: User, purpose: TokenPurpose, origin: str, token: str) -> None:
        """Have the link sent once this commits."""
        params = {"purpose": purpose.value, "user_id": user.id, "origin": origin}
        await self._ask(params, {"token": token})

    async def send_reset(self, email: str, origin: str) -> None:
        """Have a link sent to whoever has this address, if anyone has.

        Who that is is looked up when it is sent: asking takes the same time for every address.
        """
        params = {"purpose": TokenPurpose.PASSWORD_RESET.value, "origin": origin}
        await self._ask(params, {"email": email})

    async def _ask(self, params: JsonObject, secret: JsonObject) -> None:
        sealed = self._box.seal(json.dumps(secret))
        request = JobRequest(JobKind.SEND_MAIL, params, sealed=sealed, by_product=True)
        await JobQueue(self.session, self.actor).add([request])
