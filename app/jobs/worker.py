"""The worker: claims jobs, runs their handlers, tries again what failed, and does the chores.

PgQueuer brings a job's number and watches over the lease; the ``jobs`` table says what became of
it. Whatever dies in between is found again by its lease and taken over under a new number.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from pgqueuer.core.applications import PgQueuer
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Context, Schedule
from pgqueuer.domain.models import Job as QueuedJob

from app.core.config import Settings
from app.core.queue import QUEUE, Share, shared_out
from app.jobs.context import SYSTEM, JobContext, Outcome, Resources, verdict_on
from app.jobs.registry import Handled
from app.jobs.registry import Schedule as Chore
from app.jobs.watching import watched
from app.services.job_attempts import (
    Attempt,
    AttemptEnded,
    BetterAlone,
    CancelRequested,
    JobAttemptService,
    NotYet,
    Superseded,
)

log = structlog.get_logger("greenroom.worker")
LOOK_FOR_CANCELS_EVERY_S = 1.0
RECONNECT_AFTER_S = 1.0
PUT_BACK_FOR = timedelta(seconds=2)
BATCH = 5
# No longer than the shortest lease: a job whose worker died waits for two leases at the most.
LOOK_EVERY_S = 1.0


class JobRunner:
    """Runs one claimed job to its end in this process."""

    def __init__(self, resources: Resources, handled: Sequence[Handled]) -> None:
        self._resources = resources
        self._handlers = {entry.kind.value: entry.handler for entry in handled}
        self._turns = {entry.kind.value: entry.turn for entry in handled if entry.turn}
        self._running: dict[int, asyncio.Task[object]] = {}
        self._cancelled: set[int] = set()
        self._last_tries = asyncio.Lock()
        self._is_stopping = False

    async def run(self, job_id: int) -> None:
        """Raise ``RetryRequested`` when the queue is to bring the job again."""
        if self._is_stopping:
            raise RetryRequested(timedelta(0))  # claimed just before: another may begin at once
        try:
            await self._run(job_id)
        except RetryRequested:
            raise
        except NotYet as early:
            raise RetryRequested(early.wait) from None
        except Exception as error:
            # Only the jobs table may end a job; the queue would drop it for any other error.
            log.warning("job is put back", job=job_id, error=type(error).__name__)
            raise RetryRequested(PUT_BACK_FOR) from error

    async def _run(self, job_id: int) -> None:
        try:
            attempt = await self._claim(job_id)
        except BetterAlone:
            async with self._alone():
                await self._try(await self._claim(job_id, is_alone=True))
            return
        await self._try(attempt)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One after the other, and no place held for long by those that wait.

        Raise ``RetryRequested`` when it takes too long.
        """
        try:
            async with asyncio.timeout(PUT_BACK_FOR.total_seconds()):
                await self._last_tries.acquire()
        except TimeoutError:
            raise RetryRequested(PUT_BACK_FOR) from None
        try:
            yield
        finally:
            self._last_tries.release()

    async def _try(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        context = JobContext(attempt, self._resources)
        with watched(context):
            await self._attempt(context)

    async def _attempt(self, context: JobContext) -> None:
        try:
            await self._finish(context, await self._handle(context))
        except AttemptEnded as ended:
            if ended.pause is not None:
                context.outcome = Outcome.TO_BE_RETRIED
                raise RetryRequested(ended.pause) from None
            context.outcome = Outcome.FAILED
        except CancelRequested:
            await self._end_cancelled(context)  # just when it had done its work
        except Superseded:
            log.warning("another worker has taken the job over")
            # It may be gone too, and its place in the queue be ours again: look once more.
            raise RetryRequested(PUT_BACK_FOR) from None

    async def _claim(self, job_id: int, *, is_alone: bool = False) -> Attempt | None:
        async with self._resources.database.unit_of_work() as session:
            attempt = await JobAttemptService(session, SYSTEM).claim(
                job_id, self._turns, is_alone=is_alone
            )
            if self._is_stopping:
                raise RetryRequested(timedelta(0))  # undone: no try that never began is counted
            return attempt

    async def _handle(self, context: JobContext) -> object:
        """The handler's result, in a task of its own that a cancelled job or a stop ends."""
        attempt = context.attempt
        if self._is_stopping:
            await self._stopped(context)
        task = asyncio.ensure_future(self._handlers[attempt.kind](context))
        self._running[attempt.job_id] = task
        try:
            return await task
        except CancelRequested:
            await self._end_cancelled(context)
        except asyncio.CancelledError:
            await self._stopped(context)
        except (AttemptEnded, Superseded, RetryRequested):
            raise
        except Exception as error:  # noqa: BLE001  (each is told to who asked)
            await self._failed(context, error)
        finally:
            self._running.pop(attempt.job_id, None)
            self._cancelled.discard(attempt.job_id)
        context.is_done = True
        return None

    async def _finish(self, context: JobContext, result: object) -> None:
        if not context.is_done:
            async with context.last_step(result):
                pass
        if context.outcome is Outcome.PUT_BACK:
            context.outcome = Outcome.SUCCEEDED

    async def _failed(self, context: JobContext, error: Exception) -> None:
        """Raise ``AttemptEnded``."""
        known = verdict_on(error).is_known
        log.warning("job failed", exc_info=None if known else error)
        async with context.failed_step(error):
            pass

    async def _end_cancelled(self, context: JobContext) -> None:
        async with self._resources.database.unit_of_work() as session:
            await JobAttemptService(session, SYSTEM).cancelled(context.attempt)
        context.outcome = Outcome.CANCELLED

    async def _stopped(self, context: JobContext) -> None:
        """The handler was cancelled: by who asked for the job, or because the worker stops.

        Never a ``CancelledError`` to the queue, which would take it for the job's end.
        """
        attempt = context.attempt
        if attempt.job_id in self._cancelled:
            await self._end_cancelled(context)
            return
        async with self._resources.database.unit_of_work() as session:
            await JobAttemptService(session, SYSTEM).release(attempt)
        raise RetryRequested(timedelta(0))

    async def watch_cancels(self) -> None:
        """For ever: end the handlers whose jobs someone has cancelled."""
        while True:
            await asyncio.sleep(LOOK_FOR_CANCELS_EVERY_S)
            if not self._running:
                continue
            with contextlib.suppress(Exception):  # looked again in a moment
                async with self._resources.database.looking() as session:
                    attempts = JobAttemptService(session, SYSTEM)
                    for job_id in await attempts.asked_to_stop(set(self._running)):
                        self.cancel(job_id)

    def cancel(self, job_id: int) -> None:
        if task := self._running.get(job_id):
            self._cancelled.add(job_id)
            task.cancel()

    async def stop(self, patience_s: float) -> None:
        """Begin nothing more, let running jobs end for a while, then give the others back."""
        self._is_stopping = True
        running = list(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=patience_s)
            for task in late:
                task.cancel()


@dataclass
class QueuedJobExecutor(AbstractEntrypointExecutor):
    """Hands a job of the queue to the runner; what comes of it is in the jobs table."""

    runner: JobRunner

    async def execute(self, job: QueuedJob, context: Context) -> None:
        await self.runner.run(int(job.payload or b"0"))


class Worker:
    """Any number of them may work on one database, beside the web server or alone."""

    def __init__(
        self, resources: Resources, handled: Sequence[Handled], chores: Sequence[Chore]
    ) -> None:
        self._resources = resources
        self._handled = handled
        self._chores = chores
        self._runner = JobRunner(resources, handled)
        self._queue: PgQueuer | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Until ``stop``; a lost connection is made anew."""
        watching = asyncio.create_task(self._runner.watch_cancels())
        try:
            while not self._is_stopping:
                try:
                    await self._work()
                except Exception as error:  # noqa: BLE001  (the database may be back in a moment)
                    log.warning("the worker lost its connection", error=type(error).__name__)
                    await asyncio.sleep(RECONNECT_AFTER_S)
        finally:
            watching.cancel()

    async def stop(self) -> None:
        """Claim nothing more; running jobs may end for a while and are then given back."""
        self._is_stopping = True
        if self._queue is not None:
            self._queue.shutdown.set()
        await self._runner.stop(self._resources.settings.worker_patience_s)

    async def _work(self) -> None:
        database, settings = self._resources.database, self._resources.settings
        shares = shares_of(self._handled, settings)
        async with database.dedicated() as connection:
            queries = shared_out(connection, shares)
            self._queue = queue = PgQueuer(queries.driver, channel=QUEUE.channel, queries=queries)
            self._register(queue)
            if self._is_stopping:
                return
            await queue.run(
                # A job to be tried again makes no sound in the queue; it is looked for.
                dequeue_timeout=timedelta(seconds=LOOK_EVERY_S),
                batch_size=BATCH,
                # The shares say how many; the library wants this many at the least.
                max_concurrent_tasks=max(sum(share.places for share in shares), 2 * BATCH),
                shutdown_on_listener_failure=True,
                heartbeat_timeout=timedelta(seconds=settings.job_lease_s),
                log_aggregation_interval=timedelta(0),  # nothing is logged there
            )

    def _register(self, queue: PgQueuer) -> None:
        for entry in self._handled:
            parameters = EntrypointExecutorParameters(
                concurrency_limit=entry.concurrency, func=unused, accepts_context=True
            )
            queue.qm.register_executor(
                entry.kind.value, QueuedJobExecutor(parameters, self._runner)
            )
        for chore in self._chores:
            queue.schedule(chore.name, chore.cron)(self._doing(chore))

    def _doing(self, chore: Chore) -> Callable[[Schedule], Awaitable[None]]:
        async def do(_: Schedule) -> None:
            started, is_done = time.perf_counter(), False
            try:
                await chore.chore(self._resources)
                is_done = True
            except Exception:  # the next time may well succeed
                log.exception("a chore failed", chore=chore.name)
            seconds = time.perf_counter() - started
            self._resources.meters.chore_ended(chore.name, seconds, is_done=is_done)

        return do


def shares_of(handled: Sequence[Handled], settings: Settings) -> list[Share]:
    """Kinds with places of their own, each for itself, and all others together."""
    own = [entry for entry in handled if entry.places is not None]
    others = frozenset(entry.kind.value for entry in handled if entry.places is None)
    shares = [
        Share(frozenset({entry.kind.value}), entry.places(settings))
        for entry in own
        if entry.places is not None
    ]
    return [*shares, Share(others, settings.worker_concurrency)] if others else shares


async def unused(_: QueuedJob, __: Context) -> None:
    """The queue wants a function; the executor's runner does the work."""
