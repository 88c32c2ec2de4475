"""How often one may ask: counted in Redis where it is configured, else in this process.

When Redis fails, this process counts by itself until it is back; nobody is let through uncounted.
"""

import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from app.core.addresses import counted_as
from app.core.config import Settings
from app.exceptions import TooManyRequests, Unauthorized

WARN_EVERY_S = 60
ASK_REDIS_AGAIN_S = 5
GUESS_AGAIN_S = 60
TOO_MANY = "Too many requests. Wait as long as Retry-After says."
log = structlog.get_logger("greenroom.rate_limits")


class RouteClass(StrEnum):
    """Routes that share a limit."""

    READ = "read"
    WRITE = "write"
    REPORT = "report"
    EXPORT = "export"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where someone stands after this request."""

    name: str
    limit: int
    remaining: int
    reset_in_s: int
    allowed: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """The widespread X- names, and those of draft-ietf-httpapi-ratelimit-headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(time.time()) + self.reset_in_s),
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w=60',
            "RateLimit": f'"{self.name}";r={self.remaining};t={self.reset_in_s}',
        }


@lru_cache(maxsize=64)
def per_minute(count: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(count)


def address_name(host: str | None) -> str:
    """By which an address is counted; ``None`` where nobody says it."""
    return f"address:{counted_as(host) if host else 'unknown'}"


class RateLimits:
    """One counter for each class of routes and each key, user or address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Since the start, in this process.
        self.refused: Counter[str] = Counter()
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        if settings.redis_url is not None:
            url = f"async+{settings.redis_url.get_secret_value()}"
            timeouts = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
            storage = RedisStorage(url, True, "redispy", "greenroom", **timeouts)
            self._shared = SlidingWindowCounterRateLimiter(storage)
        self._ask_again_at = self._warned_at = -math.inf
        self._is_broken = False

    def _item(self, name: RouteClass) -> RateLimitItemPerMinute:
        """As it is set at this moment."""
        return per_minute(getattr(self._settings, f"rate_limit_{name.value}_per_minute"))

    @property
    def is_degraded(self) -> bool:
        """Whether Redis is configured and did not answer when it was asked last."""
        return self._is_broken

    async def hit(self, name: RouteClass, who: str) -> Standing:
        """Count one request."""
        standing = await self._count(name, who)
        self.refused[name.value] += not standing.allowed
        return standing

    async def _count(self, name: RouteClass, who: str) -> Standing:
        if self._shared is not None and time.monotonic() >= self._ask_again_at:
            try:
                standing = await self._hit(self._shared, name, who)
            except (StorageError, OSError) as error:
                self._note_failure(error)
            else:
                self._is_broken = False
                return standing
        return await self._hit(self._own, name, who)

    async def _hit(
        self, limiter: SlidingWindowCounterRateLimiter, name: RouteClass, who: str
    ) -> Standing:
        item = self._item(name)
        allowed = await limiter.hit(item, name.value, who)
        stats = await limiter.get_window_stats(item, name.value, who)
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        return Standing(name.value, item.amount, max(0, stats.remaining), wait_s, allowed)

    async def is_exhausted(self, name: RouteClass, who: str) -> bool:
        """Whether the next request would be one too many; counts nothing, and only here."""
        return not await self._own.test(self._item(name), name.value, who)

    async def is_counted(self, name: RouteClass, who: str) -> bool:
        """Whether anything was counted in the last minute, in this process."""
        item = self._item(name)
        stats = await self._own.get_window_stats(item, name.value, who)
        return stats.remaining < item.amount

    async def hit_here(self, name: RouteClass, who: str) -> None:
        """Count in this process alone."""
        await self._own.hit(self._item(name), name.value, who)

    @asynccontextmanager
    async def guessing(self, address: str, credential: str) -> AsyncIterator[None]:
        """Count what is refused inside by ``Unauthorized``, in this process.

        Raise ``TooManyRequests`` at too many guesses. Sending one again is no new guess: a runtime
        that goes on with a key that was revoked is stopped by itself, and those that share its
        address go on.
        """
        guess = f"{address} {sha256(credential.encode()).hexdigest()}"
        for who in (address, guess):
            if await self.is_exhausted(RouteClass.REFUSED, who):
                raise TooManyRequests(TOO_MANY, retry_after_s=GUESS_AGAIN_S)
        try:
            yield
        except Unauthorized:
            if not await self.is_counted(RouteClass.REFUSED, guess):
                await self.hit_here(RouteClass.REFUSED, address)
            await self.hit_here(RouteClass.REFUSED, guess)
            raise

    def _note_failure(self, error: Exception) -> None:
        now = time.monotonic()
        self._is_broken = True
        self._ask_again_at = now + ASK_REDIS_AGAIN_S
        if now - self._warned_at > WARN_EVERY_S:
            self._warned_at = now
            log.warning("Redis does not answer; counting here", error=type(error).__name__)
