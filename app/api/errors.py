"""One table from exceptions to answers: the JSON envelope here, pages by their own renderer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response

from app.api import otlp_answers
from app.core.database_errors import as_app_error
from app.core.texts import lazy
from app.exceptions import (
    AppError,
    BadRequest,
    Forbidden,
    Invalid,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
)
from app.schemas.problems import field_problems

PageRenderer = Callable[[Request, AppError], Awaitable[Response]]
JSON_PATHS = ("/api/", "/v1/", "/health", "/metrics", "/openapi.json")
PROBLEM = "application/problem+json"
log = structlog.get_logger("greenroom.errors")


class ErrorBody(BaseModel):
    code: str
    message: str
    details: list[dict[str, Any]]


class ErrorEnvelope(BaseModel):
    """The shape of every error of this API."""

    success: bool = False
    error: ErrorBody
    timestamp: datetime
    path: str
    request_id: str | None


class MethodNotAllowed(AppError):
    """The path exists, under the other methods in ``allowed``."""

    status = 405
    code = "METHOD_NOT_ALLOWED"
    allowed: Sequence[str] = ()

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)}


class UnsupportedMediaType(AppError):
    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


# What the framework says by itself.
PHRASES = {
    "Not Found": lazy("Not Found"),
    "Method Not Allowed": lazy("Method Not Allowed"),
}
BY_STATUS: Mapping[int, type[AppError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    422: Invalid,
}


def to_app_error(error: Exception) -> AppError:
    """What a user may know of any exception."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return Invalid(
            lazy("Some of the input is not valid."), details=field_problems(error.errors())
        )
    if isinstance(error, HTTPException):
        said = str(error.detail)
        return BY_STATUS.get(error.status_code, BadRequest)(PHRASES.get(said, said))
    if isinstance(error, ClientDisconnect):  # nobody reads it, but it is no fault of ours
        return BadRequest(lazy("The request did not arrive whole."))
    if isinstance(error, RecursionError):
        return Invalid(lazy("The input is nested too deeply."))
    known = as_app_error(error)
    if known is None:
        log.error("unexpected error", exc_info=error)
        return AppError(
            lazy("Something went wrong on our side. The request id helps to find out what.")
        )
    log.warning("database error", error=type(error).__name__, code=known.code)
    return known


def envelope(request: HTTPConnection, error: AppError) -> dict[str, Any]:
    return {
        "success": False,
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "timestamp": datetime.now(UTC).isoformat(),
        "path": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
    }


def problem(request: HTTPConnection, error: AppError) -> dict[str, Any]:
    """The same as RFC 9457, for clients that ask for it."""
    return {
        "type": f"urn:greenroom:error:{error.code.lower()}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "detail": error.message,
        "instance": request.url.path,
        "errors": error.details,
        "request_id": getattr(request.state, "request_id", None),
    }


def methods_of(request: HTTPConnection) -> list[str]:
    """Every method of every route at this path; the router itself knows the first route's only.

    Where a route has just this path, those with a parameter in its place are not meant.
    """
    path = request.url.path
    found: dict[bool, set[str]] = {True: set(), False: set()}  # by whether the path is written out
    for route in iter_route_contexts(request.app.routes):
        if route.methods and route.path_regex.match(path):
            found[route.path == path] |= route.methods
    return sorted(found[True] or found[False])


def is_other_media_type(request: HTTPConnection, error: Exception) -> bool:
    """Whether the body was refused for being declared as something else than JSON."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = declared == "application/json" or declared.endswith("+json")
    return isinstance(error, RequestValidationError) and not is_json and bool(error.body)


def json_answer(request: HTTPConnection, error: AppError) -> Response:
    wants_problem = PROBLEM in request.headers.get("accept", "")
    body = problem(request, error) if wants_problem else envelope(request, error)
    return JSONResponse(
        body,
        status_code=error.status,
        headers=error.headers,
        media_type=PROBLEM if wants_problem else "application/json",
    )


class ErrorResponder:
    """Answers an exception on the surface that the request came to."""

    def __init__(self, page: PageRenderer) -> None:
        self.page = page

    async def __call__(self, request: HTTPConnection, error: Exception) -> Response:
        known = to_app_error(error)
        await request.app.state.denials.record(request, known)
        if isinstance(known, MethodNotAllowed):
            known.allowed = methods_of(request)
        if request.url.path in otlp_answers.PATHS:
            return otlp_answers.error_answer(request, known)
        # A refused handshake of a socket is always answered as the API answers.
        if isinstance(request, Request) and not request.url.path.startswith(JSON_PATHS):
            return await self.page(request, known)
        if is_other_media_type(request, error):
            known = UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
        return json_answer(request, known)


def install(app: FastAPI, respond: ErrorResponder) -> None:
    """Exceptions that routes raise; what happens in middleware reaches ``respond`` by itself."""
    for kind in (AppError, RequestValidationError, HTTPException, SQLAlchemyError):
        app.add_exception_handler(kind, respond)
