"""Refusals on record: who was refused what, in a unit of work of its own."""

import time

import structlog
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection

from app.core.actor import Actor
from app.core.database import Database
from app.exceptions import AppError, Forbidden, ReauthenticationRequired, SecondFactorRequired
from app.services.audit_events import AuditEventService

# What only asks for something first refuses nothing.
QUESTIONS = (ReauthenticationRequired, SecondFactorRequired)
ONCE_IN_S = 60
MAX_REMEMBERED = 10_000
log = structlog.get_logger("greenroom.denials")


def method_of(request: HTTPConnection) -> str:
    method: str = request.scope.get("method", "WS")
    return method


def route_pattern(request: HTTPConnection) -> str:
    """The path with its names for ids, so that asking for row after row is one refusal."""
    scope, path = request.scope, request.url.path
    if scope.get("root_path"):  # the data admin, whose views are not ids
        view = str(request.path_params.get("identity", ""))
        pattern: str = scope["root_path"] + getattr(scope.get("route"), "path", "")
        return pattern.replace("{identity}", view)
    for route in iter_route_contexts(request.app.routes):
        is_method = method_of(request) in (route.methods or ())
        if is_method and route.path_regex.match(path):
            return str(route.path)
    return path


class Denials:
    """Remembers what it recorded, so that asking again and again does not flood the log."""

    def __init__(self) -> None:
        self._recorded: dict[tuple[object, ...], float] = {}

    def is_new(self, actor: Actor, what: str) -> bool:
        """Whether this was not recorded within the last minute."""
        now, key = time.monotonic(), (actor.user_id, actor.api_key_id, what)
        if now - self._recorded.get(key, -ONCE_IN_S) < ONCE_IN_S:
            return False
        self._recorded.pop(key, None)
        if len(self._recorded) >= MAX_REMEMBERED:
            del self._recorded[next(iter(self._recorded))]  # the oldest
        self._recorded[key] = now
        return True

    async def record(self, request: HTTPConnection, error: AppError) -> None:
        """An event for a refusal of someone known; its failure never changes the answer."""
        actor: Actor | None = getattr(request.state, "actor", None)
        if actor is None or not isinstance(error, Forbidden) or isinstance(error, QUESTIONS):
            return
        if not self.is_new(actor, f"{method_of(request)} {route_pattern(request)}"):
            return
        what = f"{method_of(request)} {request.url.path}"[:300]
        database: Database = request.app.state.database
        changes = {"request": [None, what], "answer": [None, error.message]}
        try:
            async with database.unit_of_work() as session:
                AuditEventService(session, actor).record("denied", "requests", None, changes)
        except Exception:  # the refusal itself stands
            log.exception("a refusal was not recorded")
