"""What is older than it is kept for goes: months as a whole, runs a few hundred at a time."""

from datetime import timedelta

from app.core.wording import plural
from app.jobs.chores import remove_old
from app.jobs.context import SYSTEM, JobContext, Resources, TryAgain
from app.models import JobKind
from app.services.job_queue import JobQueue, JobRequest
from app.services.retention import RetentionService
from app.services.retention_rules import RULES, Rule
from app.services.retention_work import ORIGINS_AT_ONCE, Month, NotSummed, RetentionWork

SUMMED_WITHIN = timedelta(minutes=2)


async def apply_retention(context: JobContext) -> object:
    """How much went, as JSON. A try goes on where the last one stopped.

    Raise ``TryAgain`` while runs still wait to be summed.
    """
    settings = context.resources.settings
    removed = {"runs": 0, "rows_of_months": 0, "origins": 0} | {rule.table: 0 for rule in RULES}
    async with context.step(0, "Looking for what is too old") as step:
        work = RetentionWork(step.session, SYSTEM, settings)
        try:
            await work.advance()
        except NotSummed:
            raise TryAgain("Runs of these months are still being summed.", SUMMED_WITHIN) from None
        months = await work.months()
    for place, month in enumerate(months):
        removed["rows_of_months"] += await drop(context, month, 60 * place // len(months))
    await remove_runs(context, removed)
    removed["origins"] = await remove_origins(context)
    for rule in RULES:
        removed[rule.table] += await remove_rows(context, rule)
    async with context.step(99, "Done") as step:
        await RetentionWork(step.session, SYSTEM, settings).finish(removed)
    return removed


async def drop(context: JobContext, month: Month, percent: int) -> int:
    async with context.step(percent, f"Removing {month}") as step:
        return await RetentionWork(step.session, SYSTEM, context.resources.settings).drop(month)


async def remove_runs(context: JobContext, removed: dict[str, int]) -> None:
    some, after = 1, None
    while some or after:
        said = f"{plural(removed['runs'], 'run')} removed"
        async with context.step(70, said) as step:
            work = RetentionWork(step.session, SYSTEM, context.resources.settings)
            # At the end once more from the first: what somebody held was passed over.
            some, after = await work.remove_runs(after if some else None)
        removed["runs"] += some


async def remove_origins(context: JobContext) -> int:
    removed, some = 0, ORIGINS_AT_ONCE
    while some >= ORIGINS_AT_ONCE:
        async with context.step(85, "Removing what made the steps") as step:
            work = RetentionWork(step.session, SYSTEM, context.resources.settings)
            some = await work.remove_origins()
        removed += some
    return removed


async def remove_rows(context: JobContext, rule: Rule) -> int:
    removed, some = 0, rule.at_once
    while some >= rule.at_once:
        async with context.step(90, f"Removing {rule.table.replace('_', ' ')}") as step:
            work = RetentionWork(step.session, SYSTEM, context.resources.settings)
            some = await work.remove(rule)
        removed += some
    return removed


async def keep_for_as_long_as_said(resources: Resources) -> None:
    """Each day: what goes row by row, and a job when a month of runs is over."""
    for rule in RULES:
        await remove_old(resources, rule)
    async with resources.database.unit_of_work() as session:
        service = RetentionService(session, SYSTEM, resources.settings)
        if await service.is_due() and await service.open_job() is None:
            request = JobRequest(JobKind.APPLY_RETENTION, {}, by_product=True)
            await JobQueue(session, SYSTEM).add([request])
