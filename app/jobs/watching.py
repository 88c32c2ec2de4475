"""What is told of each attempt at a job: that it began, how it ended, and after how long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from app.core.watchers import SeenJob, all_following_job
from app.jobs.context import JobContext

log = structlog.get_logger("greenroom.job")


@contextmanager
def watched(context: JobContext) -> Iterator[None]:
    """Lines of the block carry the job, and the id of the request that caused it."""
    attempt, started = context.attempt, time.perf_counter()
    with structlog.contextvars.bound_contextvars(
        request_id=attempt.request_id or f"job-{attempt.job_id}",
        job=attempt.job_id,
        kind=attempt.kind,
        attempt=attempt.number,
    ):
        seen = SeenJob(attempt.kind, attempt.job_id, attempt.number, attempt.traceparent)
        with all_following_job(context.resources.watchers, seen):
            log.info("job began")
            try:
                yield
            finally:
                seconds = time.perf_counter() - started
                seen.outcome = outcome = context.outcome.value
                log.info("job", outcome=outcome, duration_ms=round(seconds * 1000, 1))
                context.resources.meters.job_ended(attempt.kind, outcome, seconds)
