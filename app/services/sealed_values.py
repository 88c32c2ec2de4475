"""Values that are encrypted under SECRET_KEY, and which of them this one opens."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.core.config import Settings
from app.core.keys import SecretBox
from app.models import Job, Tool, User, WebhookEndpoint
from app.models.jobs import OPEN_JOBS
from app.services import job_queue, webhook_endpoints

AT_ONCE = 500
Column = InstrumentedAttribute[bytes] | InstrumentedAttribute[bytes | None]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column, the purpose of its key, and what to do about values that nobody can read."""

    words: str
    column: Column
    purpose: str
    remedy: str
    only: ColumnElement[bool] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    words: str
    count: int
    total: int
    remedy: str


SEALED = (
    Sealed(
        "second factors of people",
        User.totp_secret,
        "totp",
        "they log in with a recovery code, or a superuser removes the second factor",
    ),
    Sealed("headers of tools", Tool.sealed_headers, "tool-headers", "enter them again"),
    Sealed(
        "secrets of webhooks",
        WebhookEndpoint.sealed_secret,
        webhook_endpoints.BOX,
        "make new ones and tell the receivers",
    ),
    Sealed(
        "mails on their way",
        Job.sealed,
        job_queue.BOX,
        "send the links again",
        Job.status.in_(OPEN_JOBS),
    ),
)


class SealedValueService:
    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self._settings = settings

    async def unreadable(self) -> list[Unreadable]:
        """Where at least one value was encrypted with a secret that is not configured."""
        await self.session.execute(text("SET LOCAL statement_timeout = 0"))
        counted = [(each, *await self._count(each)) for each in SEALED]
        return [
            Unreadable(each.words, count, total, each.remedy)
            for each, count, total in counted
            if count
        ]

    async def _count(self, sealed: Sealed) -> tuple[int, int]:
        box = SecretBox(self._settings, sealed.purpose)
        statement = select(sealed.column).where(sealed.column.is_not(None))
        if sealed.only is not None:
            statement = statement.where(sealed.only)
        count = total = 0
        rows = await self.session.stream_scalars(statement.execution_options(yield_per=AT_ONCE))
        async for value in rows:
            total += 1
            count += value is not None and box.open(value) is None
        return count, total
