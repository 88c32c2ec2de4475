"""Many changes in one unit of work, each in a savepoint of its own."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database_errors import as_app_error
from app.core.texts import lazy
from app.exceptions import AppError, Invalid
from app.schemas.bulk import BulkAnswer, BulkItem, Change, ItemError, Problem, RowVersion
from app.schemas.problems import field_problems
from app.services.base import BaseService

T = TypeVar("T")
R = TypeVar("R")
Service = BaseService[Any, Any, Any]  # any resource's


async def attempt(
    session: AsyncSession, item: T | Problem, act: Callable[[T], Awaitable[R]]
) -> R | AppError:
    """What ``act`` gives, or why it was refused; what it wrote is undone then.

    Raises what is no fault of the item: the whole request may be sent again.
    """
    if isinstance(item, Problem):
        return unreadable(item.error)
    try:
        async with session.begin_nested():
            return await act(item)
    except (AppError, SQLAlchemyError) as error:
        refusal = error if isinstance(error, AppError) else as_app_error(error)
        if refusal is None or refusal.status >= 500:
            raise
        return refusal


def unreadable(error: ValidationError) -> Invalid:
    problems = field_problems(error.errors(include_input=False, include_url=False))
    return Invalid(lazy("Some of the input is not valid."), details=problems)


def error_of(refusal: AppError) -> ItemError:
    return ItemError(code=refusal.code, message=refusal.message, details=refusal.details)


async def create_each(service: Service, items: Sequence[BaseModel]) -> BulkAnswer:
    """Create a row of each item."""

    async def create(item: BaseModel) -> tuple[int, int]:
        row = await service.create(item)
        return row.id, row.row_version

    found = [await attempt(service.session, item, create) for item in items]
    return answer(items, found, 201)


async def update_each(service: Service, items: Sequence[Change[Any]]) -> BulkAnswer:
    """Change each row as its item says."""

    async def update(item: Change[Any]) -> tuple[int, int]:
        row = await service.update(item.id, item.changes, item.row_version)
        return row.id, row.row_version

    return await by_id(service, items, update, 200)


async def delete_each(service: Service, items: Sequence[RowVersion]) -> BulkAnswer:
    """Move each row to the trash."""

    async def delete(item: RowVersion) -> tuple[int, int | None]:
        await service.delete(item.id, item.row_version)
        return item.id, None

    return await by_id(service, items, delete, 204)


async def by_id(
    service: Service,
    items: Sequence[RowVersion],
    act: Callable[[Any], Awaitable[tuple[int, int | None]]],
    status: int,
) -> BulkAnswer:
    """In the order of ids: two requests over the same rows then wait instead of deadlocking."""
    order = sorted(range(len(items)), key=lambda index: getattr(items[index], "id", 0))
    found = {index: await attempt(service.session, items[index], act) for index in order}
    return answer(items, [found[index] for index in range(len(items))], status)


def answer(
    items: Sequence[object], found: Sequence[tuple[int, int | None] | AppError], status: int
) -> BulkAnswer:
    answered = [
        BulkItem(index=index, status=one.status, id=getattr(item, "id", None), error=error_of(one))
        if isinstance(one, AppError)
        else BulkItem(index=index, status=status, id=one[0], row_version=one[1])
        for index, (item, one) in enumerate(zip(items, found, strict=True))
    ]
    refused = sum(item.error is not None for item in answered)
    return BulkAnswer(done=len(answered) - refused, refused=refused, items=answered)
