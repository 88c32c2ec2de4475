"""Errors that services raise: a message fit for the user, a code, a status, an optional field.

Every surface (JSON, page, SQLAdmin, command line) shows ``message`` as it is, so a message never
holds SQL, a path or a secret.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class AppError(Exception):
    """Base of all errors a user may read."""

    status = 500
    code = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.message = message
        self.field = field
        self.details = list(details) or ([{"field": field, "message": message}] if field else [])

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this error."""
        return {}


class NotFound(AppError):
    """The thing does not exist, or is not this actor's to know about."""

    status = 404
    code = "RESOURCE_NOT_FOUND"


class Invalid(AppError):
    """Well-formed input that breaks a rule."""

    status = 422
    code = "VALIDATION_ERROR"


class BadRequest(AppError):
    """A request that cannot be read."""

    status = 400
    code = "BAD_REQUEST"


class Unauthorized(AppError):
    """No credentials, or credentials that are not valid."""

    status = 401
    code = "UNAUTHORIZED"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="greenroom"'}


class WrongCode(Unauthorized):
    """The password was right, the second factor's code was not."""


class Forbidden(AppError):
    """Known to us, but not allowed to do this."""

    status = 403
    code = "FORBIDDEN"


class KeyPaused(Forbidden):
    """The key is right, and somebody stopped it for a while."""

    code = "KEY_PAUSED"


class ReauthenticationRequired(Forbidden):
    """A sensitive change, and the last proof of who is asking is too long ago."""

    code = "REAUTHENTICATION_REQUIRED"


class SecondFactorRequired(Forbidden):
    """The instance asks for a second factor and this account has none yet."""

    code = "SECOND_FACTOR_REQUIRED"


class TooManyRequests(AppError):
    """A limit is reached; ``retry_after_s`` says when to come again."""

    status = 429
    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class Conflict(AppError):
    """The change contradicts what is stored."""

    status = 409
    code = "CONFLICT"


class StillRunning(Conflict):
    """The same request came before and has not been answered yet."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "2"}


class StaleVersion(AppError):
    """Someone saved between this actor's read and write."""

    status = 412
    code = "PRECONDITION_FAILED"


class PayloadTooLarge(AppError):
    """The request body is over the limit."""

    status = 413
    code = "PAYLOAD_TOO_LARGE"


class MisdirectedRequest(AppError):
    """The Host header names a server that this is not."""

    status = 400
    code = "BAD_HOST"


class WorkInterrupted(AppError):
    """Work in another process ended before it was done; at another try it may succeed."""

    status = 503
    code = "WORK_INTERRUPTED"


class Unavailable(AppError):
    """The database cannot be reached, or is too busy; the same request may succeed later."""

    status = 503
    code = "DATABASE_ERROR"

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "2"}
