"""A shorter way to what this process remembers, for the one route that runtimes ask all the time.

It answers only where nothing has to be looked up: a key and a config that are both remembered.
Everything else, and every refusal, goes the usual way, which is the same for all routes.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response

from app.api import limits
from app.api.deps import client_ip, live_configs_for, request_id_of
from app.api.strict_json import StrictRoute
from app.services.api_keys import known_actor
from app.services.config_pulls import PullCounter
from app.services.live_configs import LiveConfig

HEADER = "x-api-key"


def config_answer(request: Request, live: LiveConfig) -> Response:
    """200, or 304 where ``If-None-Match`` has the tag."""
    pulls: PullCounter = request.app.state.config_pulls
    pulls.note(request.state.actor.api_key_id, live.agent_id, live.revision)
    headers = {"ETag": live.etag}
    if is_known(live.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(live.body, headers=headers, media_type="application/json")


def is_known(tag: str, offered: str) -> bool:
    """Whether ``If-None-Match`` has it: a list, or ``*`` (RFC 9110, 13.1.2)."""
    known = {part.strip().removeprefix("W/") for part in offered.split(",")}
    return bool(known & {tag, "*"})


async def remembered_answer(request: Request) -> Response | None:
    """The answer to a pull, counted against the key's rate, or ``None``.

    Raise ``TooManyRequests``.
    """
    token = request.headers.get(HEADER)
    actor = token and known_actor(
        request.app.state.database, token, request_id_of(request), client_ip(request)
    )
    if not actor:
        return None
    live = live_configs_for(request, actor).remembered(request.path_params["name"])
    if live is None:
        return None
    structlog.contextvars.bind_contextvars(actor=f"key:{actor.api_key_id}")
    request.state.actor = actor
    await limits.count(request, actor)
    return config_answer(request, live)


class RememberingRoute(StrictRoute):
    """Tries what is remembered before it asks all its dependencies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await remembered_answer(request) or await usual(request)

        return handle
