"""Slows guessing down: tries are counted in PostgreSQL, so restarts and more processes keep count.

A try is claimed before the password is checked and taken back when it succeeds, so that guesses
sent at the same moment cannot pass together. Browsers that logged in before count for themselves
(OWASP, device cookies): nobody locks the owner out by guessing elsewhere.
"""

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.keys import key_ring
from app.exceptions import TooManyRequests
from app.models import AttemptKind, LoginAttempt

EVERYONE = "everyone"
KEPT = timedelta(days=1)  # the longest window
TOO_MANY = "Too many attempts. Wait a little, then try again."


@dataclass(frozen=True, slots=True)
class Limit:
    count: int
    window: timedelta


MINUTES_5, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
# The figures of PyPI (warehouse); only tries that fail count.
LIMITS: Mapping[AttemptKind, Mapping[str, Sequence[Limit]]] = {
    AttemptKind.PASSWORD: {
        "account": [Limit(10, MINUTES_5)],
        "address": [Limit(10, MINUTES_5)],
        "device": [Limit(10, MINUTES_5)],
        EVERYONE: [Limit(1000, MINUTES_5)],
    },
    AttemptKind.SECOND_FACTOR: {
        "account": [Limit(5, MINUTES_5), Limit(20, HOUR), Limit(50, DAY)],
        "address": [Limit(20, MINUTES_5)],
    },
    AttemptKind.RESET: {
        "account": [Limit(5, DAY)],
        "address": [Limit(20, HOUR)],
        EVERYONE: [Limit(1000, HOUR)],
    },
}


class LoginAttemptService:
    """Runs in a unit of work of its own: a claim holds even when the login is rolled back."""

    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        self.session = session
        self._key = key_ring(settings, "login-attempts")[0]

    def _hashed(self, scope: str, value: str) -> bytes:
        return hmac.digest(self._key, f"{scope}:{value}".encode(), hashlib.sha256)

    async def claim(self, kind: AttemptKind, subjects: Mapping[str, str]) -> list[int]:
        """Count one try against each ``{scope: value}``; the ids to give back on success.

        Raise ``TooManyRequests`` when a limit is reached already.
        """
        hashed = {scope: self._hashed(scope, value) for scope, value in sorted(subjects.items())}
        for scope, subject in hashed.items():
            if scope != EVERYONE:
                await self._queue_for(subject)
            for limit in LIMITS[kind][scope]:
                await self._check(kind, subject, limit)
        await self._remove_old()
        rows = [{"kind": kind, "subject": subject} for subject in hashed.values()]
        return list(
            await self.session.scalars(insert(LoginAttempt).returning(LoginAttempt.id), rows)
        )

    async def _queue_for(self, subject: bytes) -> None:
        """One claim per subject at a time, or two could both see the last free place."""
        lock = int.from_bytes(subject[:8], signed=True)
        await self.session.execute(select(func.pg_advisory_xact_lock(lock)))

    async def _check(self, kind: AttemptKind, subject: bytes, limit: Limit) -> None:
        now = func.clock_timestamp()
        in_window = (
            select(LoginAttempt.at)
            .where(
                LoginAttempt.kind == kind,
                LoginAttempt.subject == subject,
                LoginAttempt.at > now - limit.window,
            )
            .order_by(LoginAttempt.at.desc())
            .limit(limit.count)
            .subquery()
        )
        statement = select(
            func.count(), func.extract("epoch", func.min(in_window.c.at) + limit.window - now)
        ).select_from(in_window)
        count, wait_s = (await self.session.execute(statement)).one()
        if count >= limit.count:
            raise TooManyRequests(TOO_MANY, retry_after_s=max(1, math.ceil(wait_s)))

    async def give_back(self, attempt_ids: Sequence[int]) -> None:
        """It was no guess: the login succeeded."""
        await self.session.execute(delete(LoginAttempt).where(LoginAttempt.id.in_(attempt_ids)))

    async def _remove_old(self) -> None:
        old = LoginAttempt.at < func.clock_timestamp() - KEPT
        await self.session.execute(delete(LoginAttempt).where(old))
