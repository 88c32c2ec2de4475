"""Many rows, some in each transaction: a try goes on where the last one stopped."""

from collections.abc import Awaitable, Callable

from app.core.wording import plural
from app.jobs.context import JobContext, Step
from app.services.bulk import RowProgress

# Writes the next rows: how many were gone through, 0 at the end.
GoOn = Callable[[Step], Awaitable[int]]


async def go_through(context: JobContext, progress: RowProgress, go_on: GoOn) -> None:
    while await some_rows(context, progress, go_on):
        pass


async def some_rows(context: JobContext, progress: RowProgress, go_on: GoOn) -> bool:
    async with context.step(min(99, progress.percent), words(progress)) as step:
        done = await go_on(step)
    progress.done += done
    return done > 0


def words(progress: RowProgress) -> str:
    return f"{progress.done:,} of {plural(progress.total, 'row')} gone through"
