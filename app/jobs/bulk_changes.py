"""A change of many rows, some in each transaction: a try goes on where the last one stopped."""

from app.core.wording import plural
from app.jobs.context import JobContext
from app.models.base import JsonObject
from app.models.bulk_changes import BulkOutcome
from app.services.bulk_changes import BulkChangeService
from app.services.bulk_runs import BulkProgress, BulkRunner


async def change_rows(context: JobContext) -> object:
    """How many rows were changed and refused, as JSON."""
    change_id = int(context.attempt.params["bulk_change_id"])
    async with context.step(0, "Looking for rows") as step:
        progress = await BulkRunner(step.session, step.actor).progress(change_id)
    while await some_rows(context, change_id, progress):
        pass
    return await outcome(context, change_id)


async def some_rows(context: JobContext, change_id: int, progress: BulkProgress) -> bool:
    async with context.step(min(99, progress.percent), words(progress)) as step:
        done = await BulkRunner(step.session, step.actor).go_on(change_id)
    progress.done += done
    return done > 0


async def outcome(context: JobContext, change_id: int) -> JsonObject:
    async with context.step() as step:
        # Also for who may no longer see the rows: each of them was refused.
        counts = await BulkChangeService(step.session, step.actor).counts_of([change_id])
    shown = (BulkOutcome.CHANGED, BulkOutcome.UNCHANGED, BulkOutcome.REFUSED)
    return {name.value: getattr(counts[change_id], name.value) for name in shown}


def words(progress: BulkProgress) -> str:
    return f"{progress.done:,} of {plural(progress.total, 'row')} gone through"
