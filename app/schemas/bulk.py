"""Many changes in one request, each answered on its own."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from app.schemas.base import NO_DOCSTRINGS, Input, Left, Output, RowId

T = TypeVar("T")
MAX_BULK = 100


class Problem:
    """An item that breaks its schema, kept in its place so that it loses no other."""

    def __init__(self, given: object, error: ValidationError) -> None:
        self.given = given
        self.error = error


def or_problem(given: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(given)
    except ValidationError as error:
        return Problem(given, error)


# For clients and type checkers a T; services meet a ``Problem`` where it could not be read.
Each = Annotated[T, WrapValidator(or_problem)]


class Bulk(Input, Generic[T]):
    """Each item is answered on its own, in this order."""

    model_config = NO_DOCSTRINGS

    items: Annotated[list[Each[T]], Field(min_length=1, max_length=MAX_BULK)]


class RowVersion(Input):
    """A row, and the version that you have of it."""

    id: RowId
    row_version: RowId | None = None
    """Refused with 412 when the row has another; absent: whatever it has."""


class Change(RowVersion, Generic[T]):
    """One row, and what to change in it as its PATCH takes it."""

    model_config = NO_DOCSTRINGS

    changes: T


class ItemError(Output):
    """Why an item was refused, as the error of a request says it."""

    code: str
    message: str
    details: list[dict[str, Any]]


class BulkItem(Output):
    """What became of the item at `index`: the status that a request of its own would have got."""

    index: int
    status: int
    id: Left[int] = None
    row_version: Left[int] = None
    error: Left[ItemError] = None


class BulkAnswer(Output):
    """Items that were refused changed nothing; the others are stored."""

    done: int
    refused: int
    items: list[BulkItem]
