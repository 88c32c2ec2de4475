"""Requests that may be sent again: the first one's answer is kept, in its own transaction."""

from dataclasses import dataclass
from datetime import timedelta

from asyncpg.exceptions import LockNotAvailableError
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database_errors import cause_of
from app.core.texts import lazy
from app.exceptions import Invalid, StillRunning
from app.models import IdempotencyKey
from app.models.base import JsonObject

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was answered with."""

    status: int
    body: JsonObject
    location: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What makes two requests the same one: who asks for what under which key."""

    method: str
    route: str
    key: str
    request_sha256: bytes


class IdempotencyKeyService:
    """A claim lives and dies with the effect: a rolled-back request may simply be sent again."""

    resource = "idempotency_keys"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    @property
    def _actor_name(self) -> str:
        if self.actor.api_key_id is not None:
            return f"key:{self.actor.api_key_id}"
        return f"user:{self.actor.user_id}"

    async def claim(self, claim: Claim) -> IdempotencyKey | Answer:
        """The row to keep the answer in, or the answer that was given before.

        A request under the same key that is still running is waited for, as long as any row is.
        Raise ``StillRunning`` when that is too long, and ``Invalid`` when the key was used for
        another request.
        """
        try:
            taken = await self._take(claim)
        except DBAPIError as error:
            if not isinstance(cause_of(error), LockNotAvailableError):
                raise
            raise StillRunning(
                lazy(
                    "A request with this Idempotency-Key is still being answered. Ask again later."
                )
            ) from error
        if taken is not None:
            return taken
        row = await self.session.scalar(
            select(IdempotencyKey).where(
                IdempotencyKey.actor == self._actor_name,
                IdempotencyKey.method == claim.method,
                IdempotencyKey.route == claim.route,
                IdempotencyKey.key == claim.key,
            )
        )
        if row is None or row.status is None or row.request_sha256 != claim.request_sha256:
            raise Invalid(
                lazy("This Idempotency-Key was used for another request. Use a new one."),
                field="Idempotency-Key",
            )
        return Answer(row.status, row.body or {}, row.location)

    async def _take(self, claim: Claim) -> IdempotencyKey | None:
        """A new claim, or an expired one begun anew; ``None`` when the key is in use."""
        expires_at = func.clock_timestamp() + KEPT_FOR
        values = {
            "actor": self._actor_name,
            "method": claim.method,
            "route": claim.route,
            "key": claim.key,
            "request_sha256": claim.request_sha256,
            "expires_at": expires_at,
        }
        fresh = {"request_sha256": claim.request_sha256, "expires_at": expires_at, "status": None}
        statement = (
            insert(IdempotencyKey)
            .values(values)
            .on_conflict_do_update(
                index_elements=["actor", "method", "route", "key"],
                set_=fresh,
                where=IdempotencyKey.expires_at < func.clock_timestamp(),
            )
            .returning(IdempotencyKey)
        )
        return await self.session.scalar(statement)

    async def keep(self, row: IdempotencyKey, answer: Answer) -> None:
        row.status, row.body, row.location = answer.status, answer.body, answer.location
        await self.session.flush()  # the answer is stored by the effect's own transaction
