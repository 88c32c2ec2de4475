"""The loop of a run: the model is asked, its tool calls are carried out, until it has answered.

No transaction is open while the model or a tool is waited for, and one task does one thing at a
time: it looks after its run while it waits.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.completions import Completion, Json, WantedCall
from app.core.config import Settings
from app.core.database import Database
from app.core.database_errors import as_app_error
from app.core.outbound import Outbound
from app.core.providers import ModelCall, ModelProvider, ProviderError
from app.exceptions import AppError, Unavailable
from app.models import Execution
from app.models.executions import ExecutionStatus
from app.schemas.runs import MAX_CONVERSATION_BYTES
from app.schemas.spans import PricedSpan
from app.services.pricing.lists import provider_at
from app.services.running.events import Emit, RunEvent, final_event
from app.services.running.plans import PlannedTool
from app.services.running.records import Claimed, End, RunOver, RunRecorder
from app.services.running.steps import Priced, Timing, model_span, tool_span
from app.services.running.tool_calls import Outcome, arguments_of, call_tool, failed
from app.services.tool_headers import ToolHeaderService

T = TypeVar("T")
Work = Outcome | Callable[[], Awaitable[Outcome]]
Transaction = Callable[[], AbstractAsyncContextManager[tuple[AsyncSession, Actor]]]
log = structlog.get_logger("greenroom.runs")
LOOK_EVERY_S = 0.5
BEAT_EVERY = 20  # looks
STORE_AGAIN_AFTER_S = (0.2, 1.0, 2.0, 5.0, 10.0)
MAX_CALLS = 50  # of one turn
UNEXPECTED = "Something unexpected went wrong. The server's log has it under this run's id."


class RunFailure(AppError):
    """The run cannot go on; ``kind`` is a word for statistics."""

    status = 422

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def kind_of(error: AppError) -> str:
    return error.kind if isinstance(error, ProviderError | RunFailure) else error.code.lower()


@dataclass(frozen=True, slots=True)
class Running:
    """What a process has once, for all runs."""

    database: Database
    settings: Settings
    provider: ModelProvider
    outbound: Outbound

    @classmethod
    def over(cls, database: Database, settings: Settings, provider: ModelProvider) -> "Running":
        return cls(database, settings, provider, Outbound(settings.outbound_allowed_networks))

    @property
    def priced(self) -> Priced:
        provider = self.provider
        known = self.settings.provider_name or provider_at(provider.base_url or "")
        return Priced(known or provider.name, provider.name)


@dataclass(slots=True)
class Underway:
    """A model call that has not ended, and what has come of it."""

    messages: list[Json]
    start_ns: int
    completion: Completion = field(default_factory=Completion)
    first_ns: int | None = None


class Runner:
    """One run in this process. ``emit`` hears what happens while it happens."""

    def __init__(self, running: Running, transaction: Transaction, emit: Emit) -> None:
        self._running = running
        self._transaction = transaction
        self._emit = emit
        self._claimed: Claimed | None = None
        self._underway: Underway | None = None
        self._looks = 0
        self._missed_a_look = False

    async def run(self, execution_id: int) -> ExecutionStatus | None:
        """Work on the run until it ends or waits for its caller: how it stands then.

        Raise ``RunOver`` where there is nothing to do, ``AlreadyBegun`` where somebody did.
        """
        claimed = await self._store(lambda runs: runs.claim(execution_id))
        self._claimed = claimed
        self._emit(RunEvent("started", {"execution_id": execution_id}))
        with structlog.contextvars.bound_contextvars(execution=execution_id):
            execution = await self._run(claimed)
        if execution is None:
            return None
        self._emit(await self._final(execution))
        return execution.status

    async def _run(self, claimed: Claimed) -> Execution | None:
        try:
            return await self._work(claimed)
        except RunOver:
            return await self._left(claimed)
        except AppError as error:
            log.info("run failed", code=error.code, kind=kind_of(error))
            return await self._fail(claimed, error.message, kind_of(error))
        except Exception:
            log.exception("run failed")
            return await self._fail(claimed, UNEXPECTED, "unexpected")

    async def interrupt(self, end: End) -> None:
        """Close the run after its task was cancelled; one that is closed stays as it is."""
        claimed = self._claimed
        if claimed is None:
            return
        try:
            await self._end(claimed, end)
        except RunOver:
            await self._left(claimed)

    # The loop

    async def _work(self, claimed: Claimed) -> Execution:
        plan, messages = claimed.plan, claimed.messages
        for turn in range(claimed.turns + 1, plan.max_turns + 1):
            completion = await self._ask(claimed, messages, turn)
            messages = [*messages, completion.first.message]
            wanted = completion.first.wanted
            if not wanted:
                return await self._end(
                    claimed, End(ExecutionStatus.SUCCEEDED, completion.first.message["content"])
                )
            await self._keep(claimed, self._take_underway(), messages, turn)
            messages, waiting = await self._carry_out(claimed, wanted, messages, turn)
            if waiting:
                return await self._wait_for_caller(claimed, waiting)
        raise RunFailure(
            f"The agent had not answered after {plan.max_turns} model calls.", "turn_limit"
        )

    async def _ask(self, claimed: Claimed, messages: list[Json], turn: int) -> Completion:
        if len(json.dumps(messages)) > 1.5 * MAX_CONVERSATION_BYTES:
            raise RunFailure("The conversation has become too large.", "conversation_too_large")
        plan = claimed.plan
        underway = self._underway = Underway(messages, time.time_ns())

        def said(text: str) -> None:
            underway.first_ns = underway.first_ns or time.time_ns()
            self._emit(RunEvent("delta", {"text": text, "turn": turn}))

        offers = [tool.offer for tool in plan.tools]
        call = ModelCall(plan.model, messages, offers, plan.params)
        complete = self._running.provider.complete(call, said, underway.completion)
        return await self._attentively(complete)

    async def _carry_out(
        self, claimed: Claimed, wanted: Sequence[WantedCall], messages: list[Json], turn: int
    ) -> tuple[list[Json], list[WantedCall]]:
        """The conversation with the results so far, and the calls that are the caller's."""
        if len(wanted) > MAX_CALLS:
            raise RunFailure("The model asked for too many tools at once.", "too_many_calls")
        for call in wanted:
            data = {"id": call.call_id, "name": call.name, "arguments": call.arguments}
            self._emit(RunEvent("tool_call", data))
        prepared = [(call, await self._prepare(claimed, call)) for call in wanted]
        waiting = [call for call, work in prepared if work is None]
        if len(waiting) == len(wanted):
            return messages, waiting
        own = [self._done(claimed, call, work) for call, work in prepared if work is not None]
        done = await self._attentively(asyncio.gather(*own))
        messages = [*messages, *(message for _, message in done)]
        await self._keep(claimed, [span for span, _ in done], messages, turn)
        return messages, waiting

    async def _prepare(self, claimed: Claimed, call: WantedCall) -> Work | None:
        """What a call is answered with, or how; ``None`` when it is the caller's to answer."""
        tool = claimed.plan.tool(call.name)
        if tool is None:
            return failed("unknown_tool", "There is no such tool.")
        arguments = arguments_of(call, tool.parameters)
        if isinstance(arguments, Outcome):
            return arguments
        if tool.endpoint is None:
            return None
        try:
            headers = await self._headers(tool)
        except AppError as error:
            return failed("headers_unreadable", error.message)
        return partial(call_tool, self._running.outbound, tool, arguments, headers)

    async def _headers(self, tool: PlannedTool) -> dict[str, str]:
        async with self._transaction() as (session, actor):
            service = ToolHeaderService(session, actor, self._running.settings)
            return await service.for_call(tool.tool_id, tool.endpoint or {})

    async def _done(
        self, claimed: Claimed, call: WantedCall, work: Work
    ) -> tuple[PricedSpan, Json]:
        """The span of a call and the message that tells the model."""
        start_ns = time.time_ns()
        outcome = work if isinstance(work, Outcome) else await work()
        timing = Timing(start_ns, max(start_ns, time.time_ns()))
        told = {"id": call.call_id, "name": call.name, "result": outcome.result}
        self._emit(RunEvent("tool_result", told | {"is_error": outcome.error_type is not None}))
        span = tool_span(claimed.root, call, outcome.result, timing, outcome.error_type)
        message = {"role": "tool", "tool_call_id": call.call_id, "content": outcome.content}
        return span, message

    async def _wait_for_caller(self, claimed: Claimed, calls: Sequence[WantedCall]) -> Execution:
        wanted = [
            {"id": call.call_id, "name": call.name, "arguments": call.arguments} for call in calls
        ]
        self._emit(RunEvent("requires_action", {"tool_calls": wanted}))
        return await self._store(lambda runs: runs.pause(claimed, wanted))

    # Ends

    async def _end(self, claimed: Claimed, end: End) -> Execution:
        output, underway = end.output, self._underway
        if output is None and underway is not None:
            output = underway.completion.first.content or None
        spans = self._take_underway(end.error_type)
        closed = replace(end, output=output)
        try:
            return await undisturbed(
                self._store(lambda runs: runs.finish(claimed.execution_id, closed, spans))
            )
        except RunOver:
            self._underway = underway  # somebody else has ended it; this is still to be stored
            raise

    async def _fail(self, claimed: Claimed, message: str, kind: str) -> Execution | None:
        try:
            return await self._end(claimed, End(ExecutionStatus.FAILED, None, message, kind))
        except RunOver:
            return await self._left(claimed)

    async def _left(self, claimed: Claimed) -> Execution | None:
        """Somebody else has ended the run: how it stands, with what was under way added."""
        spans = self._take_underway("cancelled")
        execution_id = claimed.execution_id

        async def leave(runs: RunRecorder) -> Execution | None:
            if spans:
                await runs.leave_behind(execution_id, spans)
            return await runs.executions.find(execution_id)

        return await undisturbed(self._store(leave))

    def _take_underway(self, error_type: str | None = None) -> list[PricedSpan]:
        """The span of the model call that is under way, or was just answered."""
        underway, self._underway = self._underway, None
        claimed = self._claimed
        if underway is None or claimed is None:
            return []
        timing = Timing(
            underway.start_ns, max(underway.start_ns, time.time_ns()), underway.first_ns
        )
        completion, priced = underway.completion, self._running.priced
        span = model_span(
            claimed.root, claimed.plan, underway.messages, completion, timing, priced, error_type
        )
        return [span]

    # Storing and looking

    async def _final(self, execution: Execution) -> RunEvent:
        async with self._transaction() as (session, actor):
            runs = RunRecorder(session, actor).executions
            return final_event(execution, await runs.find_body(execution))

    async def _keep(
        self, claimed: Claimed, spans: list[PricedSpan], messages: list[Json], turns: int
    ) -> None:
        await undisturbed(self._store(lambda runs: runs.append(claimed, spans, messages, turns)))

    async def _store(self, work: Callable[[RunRecorder], Awaitable[T]]) -> T:
        """Do it in a transaction; again when the database was away for a while.

        What a model has answered is paid for, so it is not dropped for a restart of the database.
        """
        for pause_s in (*STORE_AGAIN_AFTER_S, None):
            try:
                async with self._transaction() as (session, actor):
                    return await work(RunRecorder(session, actor))
            except Exception as error:
                if pause_s is None or not is_outage(error):
                    raise
                log.warning("a step waits for the database", error=type(error).__name__)
                await asyncio.sleep(pause_s)
        raise AssertionError  # the last round returns or raises

    async def _attentively(self, work: Awaitable[T]) -> T:
        """Wait for the work, and leave it when nobody wants it any more. Raise ``RunOver``."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=LOOK_EVERY_S)
                if done:
                    return task.result()
                await self._look()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _look(self) -> None:
        self._looks += 1
        beat = self._missed_a_look or self._looks % BEAT_EVERY == 0
        execution_id = self._claimed.execution_id if self._claimed else 0
        database = self._running.database
        try:
            async with database.unit_of_work() if beat else database.looking() as session:
                runs = RunRecorder(session, Actor.system(Via.JOB))
                is_wanted = await runs.is_wanted(execution_id, beat=beat)
        except Exception as error:
            if not is_outage(error):
                raise
            self._missed_a_look = True
            return
        self._missed_a_look = False
        if not is_wanted:
            raise RunOver


async def undisturbed(storing: Awaitable[T]) -> T:
    """Store to the end, and only then be cancelled: the steps in hand are nowhere else."""
    task = asyncio.ensure_future(storing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def is_outage(error: Exception) -> bool:
    known = as_app_error(error)
    return isinstance(known, Unavailable)
