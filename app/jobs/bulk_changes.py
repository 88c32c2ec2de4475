"""A change of many rows."""

from app.jobs.context import JobContext, Step
from app.jobs.rows import GoOn, go_through
from app.models.base import JsonObject
from app.models.bulk_changes import BulkOutcome
from app.services.bulk_changes import BulkChangeService
from app.services.bulk_runs import BulkRunner


async def change_rows(context: JobContext) -> object:
    """How many rows were changed and refused, as JSON."""
    change_id = int(context.attempt.params["bulk_change_id"])
    async with context.step(0, "Looking for rows") as step:
        progress = await BulkRunner(step.session, step.actor).progress(change_id)
    await go_through(context, progress, changing(change_id))
    return await outcome(context, change_id)


def changing(change_id: int) -> GoOn:
    async def go_on(step: Step) -> int:
        return await BulkRunner(step.session, step.actor).go_on(change_id)

    return go_on


async def outcome(context: JobContext, change_id: int) -> JsonObject:
    async with context.step() as step:
        # Also for who may no longer see the rows: each of them was refused.
        counts = await BulkChangeService(step.session, step.actor).counts_of([change_id])
    shown = (BulkOutcome.CHANGED, BulkOutcome.UNCHANGED, BulkOutcome.REFUSED)
    return {name.value: getattr(counts[change_id], name.value) for name in shown}
