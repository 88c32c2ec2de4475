"""Rate limits at the door of the JSON API, for each key, person or address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from starlette.requests import HTTPConnection

from app.core.actor import Actor
from app.core.addresses import counted_as
from app.core.rate_limits import RateLimits, RouteClass, Standing
from app.exceptions import TooManyRequests, Unauthorized

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REPORTS = ("/executions", "/executions/batch", "/v1/traces", "/v1/logs", "/v1/metrics")
TOO_MANY = "Too many requests. Wait as long as Retry-After says."


def class_of(request: HTTPConnection) -> RouteClass:
    method = request.scope.get("method", "GET")  # a socket has none: it reads
    if method in SAFE_METHODS:
        return RouteClass.READ
    is_report = method == "POST" and request.url.path.rstrip("/").endswith(REPORTS)
    return RouteClass.REPORT if is_report else RouteClass.WRITE


def limits_of(request: HTTPConnection) -> RateLimits:
    limits: RateLimits = request.app.state.rate_limits
    return limits


def name_of(actor: Actor) -> str:
    return f"key:{actor.api_key_id}" if actor.api_key_id else f"user:{actor.user_id}"


async def count(request: HTTPConnection, actor: Actor, kind: RouteClass | None = None) -> None:
    """Count this request of someone known. Raises ``TooManyRequests``."""
    keep(request, await limits_of(request).hit(kind or class_of(request), name_of(actor)))


async def count_address(request: HTTPConnection) -> None:
    """Count a request of someone unknown. Raises ``TooManyRequests``."""
    keep(request, await limits_of(request).hit(RouteClass.WRITE, address_of(request)))


def address_of(request: HTTPConnection) -> str:
    return f"address:{counted_as(request.client.host) if request.client else 'unknown'}"


def keep(request: HTTPConnection, standing: Standing) -> None:
    """The answer will say where the client stands; see ``RequestContextMiddleware``."""
    request.state.answer_headers = standing.headers
    if not standing.allowed:
        raise TooManyRequests(TOO_MANY, retry_after_s=standing.reset_in_s)


@asynccontextmanager
async def guessing(request: HTTPConnection, credential: str) -> AsyncIterator[None]:
    """An address that keeps sending keys and tokens that are none is not looked up any more.

    Sending one again is no new guess: a runtime that goes on with a key that was revoked is stopped
    by itself, and those that share its address go on.
    """
    limits, address = limits_of(request), address_of(request)
    guess = f"{address} {sha256(credential.encode()).hexdigest()}"
    for who in (address, guess):
        if await limits.is_exhausted(RouteClass.REFUSED, who):
            raise TooManyRequests(TOO_MANY, retry_after_s=60)
    try:
        yield
    except Unauthorized:
        if not await limits.is_counted(RouteClass.REFUSED, guess):
            await limits.hit_here(RouteClass.REFUSED, address)
        await limits.hit_here(RouteClass.REFUSED, guess)
        raise
