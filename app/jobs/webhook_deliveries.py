"""Messages on their way to webhook endpoints: signed, sent, and tried again as the answer says."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from app.core.outbound import Outbound, OutboundAnswer, OutboundRefused, OutboundRequest
from app.exceptions import AppError
from app.jobs.context import GiveUp, JobContext, Resources, TryAgain
from app.services.webhook_attempts import Outcome, Outgoing, WebhookAttemptService

TIMEOUT_S = 20.0  # the standard advises 15 to 30
READ_BYTES = 4_000
GONE, BUSY = 410, frozenset({429, 503})
LONGEST_WAIT = timedelta(hours=24)


async def deliver_webhook(context: JobContext) -> object:
    """One try. Raise ``AttemptEnded`` when it was not taken, once that is on record."""
    settings, attempt = context.resources.settings, context.attempt
    async with context.step() as step:
        attempts = WebhookAttemptService(step.session, step.actor, settings)
        outgoing = await attempts.begin(attempt)
    if outgoing is None:
        return {"sent": False}
    outcome, problem = await post(context.resources, outgoing)
    if problem is None:
        async with context.last_step({"status": outcome.status}) as step:
            attempts = WebhookAttemptService(step.session, step.actor, settings)
            await attempts.succeed(attempt, outcome)
        return None
    async with context.failed_step(problem) as failed:
        attempts = WebhookAttemptService(failed.session, failed.actor, settings)
        await attempts.fail(attempt, outcome, failed.pause)
        if outcome.status == GONE:
            await attempts.gone(attempt)
    return None


async def post(resources: Resources, outgoing: Outgoing) -> tuple[Outcome, AppError | None]:
    """What came of it, and why it does not count as taken; never an error."""
    settings = resources.settings
    request = OutboundRequest(
        "POST",
        outgoing.url,
        outgoing.headers,
        outgoing.body,
        timeout_s=TIMEOUT_S,
        max_bytes=READ_BYTES,
        is_excerpt=True,
    )
    started = time.perf_counter()
    try:
        answer = await Outbound(settings.outbound_allowed_networks).send(request)
    except OutboundRefused as error:
        problem: AppError | None = GiveUp(error.message)
        return Outcome(since(started), error=error.message), problem
    except AppError as error:
        return Outcome(since(started), error=error.message), TryAgain(error.message)
    problem = problem_with(answer)
    excerpt = answer.body.decode("utf-8", "replace")
    said = problem.message if problem else None
    return Outcome(since(started), answer.status, excerpt, said), problem


def since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def problem_with(answer: OutboundAnswer) -> AppError | None:
    """``None`` for 2xx. Redirects are not followed: the endpoint is to be changed instead."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == GONE:
        return GiveUp("It answered 410: it wants no more messages, so the endpoint is disabled.")
    if 300 <= status < 400:
        return TryAgain(f"It answered {status}: redirects are not followed.")
    wait = retry_after(answer.headers.get("retry-after", "")) if status in BUSY else None
    return TryAgain(f"It answered {status}.", wait)


def retry_after(value: str, now: datetime | None = None) -> timedelta | None:
    """Seconds or a date (RFC 9110, 10.2.3), a day at the most; ``None`` for anything else."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    wait = aware - (now or datetime.now(UTC))
    return min(wait, LONGEST_WAIT) if wait > timedelta(0) else None
