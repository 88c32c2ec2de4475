"""Shorter ways for the routes that runtimes ask all the time, open to keys that are remembered.

Everything else, and every refusal, goes the usual way, which is the same for all routes.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.dependencies.utils import request_params_to_args

from app.api import limits
from app.api.conditional import is_known
from app.api.deps import (
    RequirePermission,
    ServiceOf,
    client_ip,
    live_configs_for,
    request_id_of,
)
from app.api.strict_json import StrictRoute
from app.core.actor import Actor
from app.core.cache import Recent
from app.core.database import Database
from app.services.api_keys import known_actor
from app.services.config_pulls import PullCounter
from app.services.live_configs import LiveConfig

HEADER = "x-api-key"
MAX_QUERIES, MAX_QUERY_BYTES = 500, 1_000


def config_answer(request: Request, live: LiveConfig) -> Response:
    """200, or 304 where ``If-None-Match`` has the tag."""
    pulls: PullCounter = request.app.state.config_pulls
    pulls.note(request.state.actor.api_key_id, live.agent_id, live.revision)
    headers = {"ETag": live.etag}
    if is_known(live.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(live.body, headers=headers, media_type="application/json")


def remembered_actor(request: Request) -> Actor | None:
    """Who sends a key that is remembered; they are noted in the log and for refusals."""
    token = request.headers.get(HEADER)
    actor = token and known_actor(
        request.app.state.database, token, request_id_of(request), client_ip(request)
    )
    if not actor:
        return None
    structlog.contextvars.bind_contextvars(actor=f"key:{actor.api_key_id}")
    request.state.actor = actor
    return actor


async def remembered_answer(request: Request) -> Response | None:
    """The answer to a pull, counted against the key's rate, or ``None``.

    Raise ``TooManyRequests``.
    """
    actor = remembered_actor(request)
    if actor is None:
        return None
    live = live_configs_for(request, actor).remembered(request.path_params["name"])
    if live is None:
        return None
    await limits.count(request, actor)
    return config_answer(request, live)


class RememberingRoute(StrictRoute):
    """Tries what is remembered before it asks all its dependencies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await remembered_answer(request) or await usual(request)

        return handle


class LookingRoute(StrictRoute):
    """A route that lists: takes a query and a service, and answers with a response of its own.

    What FastAPI would find by walking all dependencies again is known here: who asks, by which
    key, with which permission.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual, endpoint, query = super().get_route_handler(), self.endpoint, self.dependant
        # What a query says follows from its text alone, and clients ask the same again and again.
        read: Recent[bytes, dict[str, Any]] = Recent(MAX_QUERIES)
        needed = [
            each.call.permission
            for each in query.dependencies
            if isinstance(each.call, RequirePermission)
        ]
        services = {
            str(each.name): each.call.kind
            for each in query.dependencies
            if isinstance(each.call, ServiceOf)
        }

        async def handle(request: Request) -> Response:
            actor = remembered_actor(request)
            if actor is None or not all(actor.may(permission) for permission in needed):
                return await usual(request)
            asked = request.scope["query_string"]
            values = read.get(asked)
            if values is None:
                values, problems = request_params_to_args(query.query_params, request.query_params)
                if problems:
                    return await usual(request)
                if len(asked) <= MAX_QUERY_BYTES:
                    read.put(asked, values)
            await limits.count(request, actor)
            database: Database = request.app.state.database
            async with database.looking() as session:
                found = {name: kind(session, actor) for name, kind in services.items()}
                answer: Response = await endpoint(**values, **found)
            return answer

        return handle
