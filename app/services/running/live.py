"""Runs that somebody watches: each in a task of this process, told event by event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models.executions import ExecutionStatus
from app.services.running.asking import INTERRUPTED
from app.services.running.events import RunEvent
from app.services.running.records import AlreadyBegun, End, RunOver
from app.services.running.runner import Runner, Running

log = structlog.get_logger("greenroom.runs")
PING_EVERY_S = 15.0
PING = RunEvent("ping")
STOPPED_WITHIN_S = 5.0
LEFT = End(
    ExecutionStatus.CANCELLED,
    error="Whoever watched this run has left, which ends it.",
    error_type="watcher_left",
)


class LiveRun:
    """The run is the watching of it: who leaves before its end, ends it."""

    def __init__(self, runner: Runner, events: "asyncio.Queue[RunEvent | None]") -> None:
        self._runner = runner
        self._events = events
        self._end = LEFT
        self._task: asyncio.Task[None] | None = None

    def start(self, execution_id: int) -> "asyncio.Task[None]":
        self._task = asyncio.create_task(self._work(execution_id))
        return self._task

    async def _work(self, execution_id: int) -> None:
        try:
            await self._runner.run(execution_id)
        except (RunOver, AlreadyBegun):
            log.info("there was nothing to run", execution=execution_id)
        except asyncio.CancelledError:
            await self._runner.interrupt(self._end)
        except Exception:  # what it did is stored; the rest is said once somebody looks after it
            log.exception("a run was lost", execution=execution_id)
        finally:
            self._events.put_nowait(None)

    async def events(self) -> AsyncIterator[RunEvent]:
        """Until the run ends or waits for its caller; a ping where nothing happens for long."""
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), PING_EVERY_S)
            except TimeoutError:
                yield PING
                continue
            if event is None:
                return
            yield event

    def leave(self, end: End = LEFT) -> None:
        """End the run if it still goes on."""
        if self._task is not None and not self._task.done() and not self._task.cancelling():
            self._end = end
            self._task.cancel()


class LiveRuns:
    """Those of this process; none outlives it unnoticed."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._runs: dict[asyncio.Task[None], LiveRun] = {}

    def start(self, actor: Actor, execution_id: int) -> LiveRun:
        """Work on a run that is committed."""

        @asynccontextmanager
        async def transaction() -> AsyncIterator[tuple[AsyncSession, Actor]]:
            async with self.running.database.unit_of_work() as session:
                yield session, actor

        events: asyncio.Queue[RunEvent | None] = asyncio.Queue()
        run = LiveRun(Runner(self.running, transaction, events.put_nowait), events)
        task = run.start(execution_id)
        self._runs[task] = run
        task.add_done_callback(lambda ended: self._runs.pop(ended, None))
        return run

    async def stop(self) -> None:
        """End those that are left, on record as interrupted."""
        tasks = list(self._runs)
        for run in list(self._runs.values()):
            run.leave(INTERRUPTED)
        if tasks:
            await asyncio.wait(tasks, timeout=STOPPED_WITHIN_S)
