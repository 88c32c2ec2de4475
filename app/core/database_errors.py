"""What a database error means to a user; the error itself stays in the log."""

from asyncpg import exceptions as pg
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError

from app.exceptions import AppError, Conflict, Invalid, StaleVersion, Unavailable

UNAVAILABLE = "The database is not reachable or too busy. Try again in a moment."
TOO_SLOW = "This took too long. Narrow your filter, or try again in a moment."
CHANGED_MEANWHILE = "This was changed or removed while you were saving it."
CONTRADICTS = "This contradicts something that is stored already."
OUT_OF_RANGE = "A value is out of range, or not text that can be stored."

BUSY = (
    pg.TooManyConnectionsError,
    pg.CannotConnectNowError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.PostgresConnectionError,
    pg.DeadlockDetectedError,
    pg.SerializationError,
    pg.LockNotAvailableError,
    pg.DiskFullError,
    pg.OutOfMemoryError,
)


def cause_of(error: BaseException) -> BaseException:
    """The driver's own error under SQLAlchemy's wrappers."""
    cause: BaseException = getattr(error, "orig", None) or error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return cause


def constraint_of(error: IntegrityError) -> str | None:
    name = getattr(cause_of(error), "constraint_name", None)
    return str(name) if name else None


def as_app_error(error: BaseException) -> AppError | None:
    """The ``AppError`` for a database or connection error, ``None`` for anything unexpected.

    One of ours, as of a unit of work that is refused, stays itself.
    """
    return error if isinstance(error, AppError) else _of_database(error)


def _of_database(error: BaseException) -> AppError | None:
    cause = cause_of(error)
    if isinstance(error, StaleDataError):
        return StaleVersion(CHANGED_MEANWHILE)
    if isinstance(error, PoolTimeout) or isinstance(cause, BUSY):
        return Unavailable(UNAVAILABLE)
    if isinstance(cause, pg.QueryCanceledError):
        return Unavailable(TOO_SLOW)
    if isinstance(error, IntegrityError):
        return Conflict(CONTRADICTS, code="INTEGRITY_ERROR")
    if isinstance(cause, pg.DataError | OverflowError | UnicodeError):
        return Invalid(OUT_OF_RANGE)
    connection_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if connection_lost or isinstance(error, InterfaceError | OperationalError | ConnectionError):
        return Unavailable(UNAVAILABLE)
    if isinstance(error, SQLAlchemyError) and isinstance(cause, OSError):
        return Unavailable(UNAVAILABLE)
    return None
