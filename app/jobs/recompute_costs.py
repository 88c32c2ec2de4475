"""Costs computed anew, some runs in each transaction: a try goes on where the last one stopped."""

from datetime import datetime

from app.core.wording import plural
from app.jobs.context import SYSTEM, JobContext, Step
from app.models.base import JsonObject
from app.schemas.model_prices import RecomputeRequest
from app.services.job_attempts import JobAttemptService
from app.services.recomputing import Recomputer, Tally, tally_in


async def recompute_costs(context: JobContext) -> object:
    """Counts and costs before and after, as JSON."""
    request = RecomputeRequest.model_validate(context.attempt.params["request"])
    async with context.step(0, "Looking for runs") as step:
        job = await JobAttemptService(step.session, SYSTEM).held(context.attempt)
        tally = tally_in(job.result)
    while True:
        async with context.step(percent(request, tally), words(tally)) as step:
            if not await Recomputer(step.session, step.actor).go_on(request, tally):
                return outcome(tally)
            await keep(context, step, tally)


async def keep(context: JobContext, step: Step, tally: Tally) -> None:
    """What was done is on the job in the same transaction, whatever becomes of this try."""
    job = await JobAttemptService(step.session, SYSTEM).held(context.attempt)
    job.result = tally.written
    await step.session.flush()  # committed with the costs that it counts


def outcome(tally: Tally) -> JsonObject:
    return {name: value for name, value in tally.written.items() if name != "after"}


def percent(request: RecomputeRequest, tally: Tally) -> int:
    """By the time that the runs started at: nobody has to count them first."""
    if tally.after is None or request.until is None:
        return 0
    reached: datetime = tally.after[0]
    return min(99, int(100 * ((reached - request.since) / (request.until - request.since))))


def words(tally: Tally) -> str:
    return f"{plural(tally.runs, 'run')} looked at, {tally.runs_changed:,} changed"
