"""Rate limits at the door of the JSON API, for each key, person or address."""

from contextlib import AbstractAsyncContextManager

from starlette.requests import HTTPConnection

from app.core.actor import Actor
from app.core.rate_limits import TOO_MANY, RateLimits, RouteClass, Standing, address_name
from app.exceptions import TooManyRequests

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REPORTS = ("/executions", "/executions/batch", "/v1/traces", "/v1/logs", "/v1/metrics")


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
    return address_name(request.client.host if request.client else None)


def keep(request: HTTPConnection, standing: Standing) -> None:
    """The answer will say where the client stands; see ``RequestContextMiddleware``."""
    request.state.answer_headers = standing.headers
    if not standing.allowed:
        raise TooManyRequests(TOO_MANY, retry_after_s=standing.reset_in_s)


def guessing(request: HTTPConnection, credential: str) -> AbstractAsyncContextManager[None]:
    """An address that keeps sending keys and tokens that are none is not looked up any more."""
    return limits_of(request).guessing(address_of(request), credential)
