"""Many changes in one unit of work: together, and where one is refused, down to the one alone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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
from app.services.saves import Edit

T = TypeVar("T")
R = TypeVar("R")
Service = BaseService[Any, Any, Any]  # any resource's
Done = tuple[int, int | None]  # the id of a row, and its version where it is still there


@dataclass(slots=True)
class RowProgress:
    """How many rows there are to write, and how many have been gone through."""

    total: int = 0
    done: int = 0

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


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
        refusal = as_app_error(error)
        if refusal is None or refusal.status >= 500:
            raise
        return refusal


async def attempt_each(
    session: AsyncSession,
    items: Sequence[T],
    act: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
) -> list[R | AppError]:
    """As ``attempt`` of each, in the few statements that ``act`` takes for all of them together.

    Where one is refused nobody knows which: the halves are tried, down to the one alone.
    """
    found = await attempt(session, items, act) if items else []
    if not isinstance(found, AppError):
        return list(found)
    if len(items) == 1:
        return [found]
    half = len(items) // 2
    first = await attempt_each(session, items[:half], act)
    return first + await attempt_each(session, items[half:], act)


async def attempt_readable(
    session: AsyncSession,
    items: Sequence[T | Problem],
    act: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
) -> list[R | AppError]:
    """As ``attempt_each``, where some could not even be read."""
    readable = [item for item in items if not isinstance(item, Problem)]
    found = iter(await attempt_each(session, readable, act))
    return [unreadable(i.error) if isinstance(i, Problem) else next(found) for i in items]


def unreadable(error: ValidationError) -> Invalid:
    problems = field_problems(error.errors(include_input=False, include_url=False))
    return Invalid(lazy("Some of the input is not valid."), details=problems)


def error_of(refusal: AppError) -> ItemError:
    return ItemError(code=refusal.code, message=refusal.message, details=refusal.details)


async def create_each(service: Service, items: Sequence[BaseModel]) -> BulkAnswer:
    """Create a row of each item."""

    async def create(items: Sequence[BaseModel]) -> list[Done]:
        return [done(row) for row in await service.create_together(items)]

    return answer(items, await attempt_readable(service.session, items, create), 201)


async def update_each(service: Service, items: Sequence[Change[Any]]) -> BulkAnswer:
    """Change each row as its item says."""

    async def update(items: Sequence[Change[Any]]) -> list[Done]:
        edits = [Edit(item.id, item.changes, item.row_version) for item in items]
        return [done(row) for row in await service.update_together(edits)]

    return await by_id(service, items, update, 200)


async def delete_each(service: Service, items: Sequence[RowVersion]) -> BulkAnswer:
    """Move each row to the trash."""

    async def delete(items: Sequence[RowVersion]) -> list[Done]:
        for item in items:
            await service.delete(item.id, item.row_version)
        return [(item.id, None) for item in items]

    return await by_id(service, items, delete, 204)


def done(row: Any) -> Done:  # of any model with a version
    return row.id, row.row_version


async def by_id(
    service: Service,
    items: Sequence[RowVersion],
    act: Callable[[Sequence[Any]], Awaitable[list[Done]]],
    status: int,
) -> BulkAnswer:
    """In the order of ids: two requests over the same rows then wait instead of deadlocking."""
    order = sorted(range(len(items)), key=lambda index: getattr(items[index], "id", 0))
    found = await attempt_readable(service.session, [items[index] for index in order], act)
    by_index = dict(zip(order, found, strict=True))
    return answer(items, [by_index[index] for index in range(len(items))], status)


def answer(items: Sequence[object], found: Sequence[Done | AppError], status: int) -> BulkAnswer:
    answered = [
        BulkItem(index=index, status=one.status, id=getattr(item, "id", None), error=error_of(one))
        if isinstance(one, AppError)
        else BulkItem(index=index, status=status, id=one[0], row_version=one[1])
        for index, (item, one) in enumerate(zip(items, found, strict=True))
    ]
    refused = sum(item.error is not None for item in answered)
    return BulkAnswer(done=len(answered) - refused, refused=refused, items=answered)
