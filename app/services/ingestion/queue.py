"""From many requests to few transactions: what waits at the same moment is stored together.

Bounded: what would not fit is refused at once, for the sender to send again. A request is
answered only when the transaction that holds its spans is committed.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import Database
from app.core.database_errors import as_app_error
from app.core.meters import SILENT, Meters
from app.exceptions import AppError, Unavailable
from app.services.ingest_batches import IngestBatchService, Receipt, Sent
from app.services.ingestion.prepared import Prepared, Trace
from app.services.ingestion.rejections import rejection_of
from app.services.ingestion.span_logs import AT_ONCE, SpanKey, SpanLogs
from app.services.ingestion.wire import Rejection

log = structlog.get_logger("greenroom.ingestion")
T = TypeVar("T")
WRITERS = 2
TOGETHER = 4_096  # spans of one transaction, unless one request has more
FULL = "Too much is on its way in already. Send this again in a moment."
FAILED = "This could not be stored for now. Send it again in a moment."
STOP_WITHIN_S = 10
REFUSED = "The database cannot store what this span holds."


@dataclass(slots=True)
class Waiting:
    """A request and who waits for its receipt."""

    sent: Sent
    receipt: asyncio.Future[Receipt]


@dataclass(slots=True)
class Errand:
    """Work of another kind, in a unit of work of its own, and who waits for what comes of it."""

    work: Callable[[AsyncSession], Awaitable[Any]]
    outcome: asyncio.Future[Any]  # of the type that the work has


def alike(actor: Actor) -> Actor:
    """Equal for requests that may be stored together."""
    return replace(actor, request_id=None, ip=None)


def hand_over(waiting: asyncio.Future[T], outcome: T | Exception) -> None:
    """To who waits, unless they have gone meanwhile."""
    if waiting.done():
        return
    if isinstance(outcome, Exception):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)


def halves(prepared: Prepared) -> list[Prepared]:
    """The same spans in two parts: by trace, or those of the only trace."""
    traces = list(prepared.traces.values())
    if len(traces) > 1:
        middle = len(traces) // 2
        parts = [traces[:middle], traces[middle:]]
    else:
        items = list(traces[0].items.items())
        middle = len(items) // 2
        parts = [
            [replace(traces[0], items=dict(part))] for part in (items[:middle], items[middle:])
        ]
    return [Prepared({t.trace_id: t for t in part}, [], 0) for part in parts]


def only_item(prepared: Prepared) -> Trace | None:
    """The trace of a request that has but one span."""
    traces = list(prepared.traces.values())
    return traces[0] if len(traces) == 1 and len(traces[0].items) == 1 else None


class IngestQueue:
    """``admit`` while a body is held in memory, ``submit`` to have it stored."""

    meters: Meters = SILENT

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self.max_bytes = max_bytes
        self._held = 0
        self._waiting: list[Waiting] = []
        self._errands: deque[Errand] = deque()
        self._is_on_errand = False
        self._writers: set[asyncio.Task[None]] = set()

    @contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """Hold so many bytes. Raise ``Unavailable`` when others hold too many."""
        if self._held and self._held + size > self.max_bytes:
            self.meters.batch_refused()
            raise Unavailable(FULL)
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    @property
    def held_bytes(self) -> int:
        return self._held

    @property
    def waiting(self) -> int:
        """Requests that are not being stored yet."""
        return len(self._waiting)

    async def submit(self, sent: Sent) -> Receipt:
        """The receipt, once it is committed. Raise ``AppError`` when nothing was stored."""
        waiting = Waiting(sent, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._pump()
        return await waiting.receipt

    async def run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """What the work makes of it, in its turn among requests. Raise what it raises."""
        errand = Errand(work, asyncio.get_running_loop().create_future())
        self._errands.append(errand)
        self._pump()
        outcome: T = await errand.outcome
        return outcome

    def _next(self) -> Coroutine[Any, Any, None] | None:
        """Errands go one after the other, so that a writer is left for requests."""
        if self._errands and not self._is_on_errand:
            self._is_on_errand = True
            return self._go(self._errands.popleft())
        return self._write(self._taken()) if self._waiting else None

    async def _go(self, errand: Errand) -> None:
        try:
            if errand.outcome.done():  # its client has gone
                return
            async with self._database.unit_of_work() as session:
                outcome = await errand.work(session)
        except Exception as error:  # noqa: BLE001  (whoever waits is told)
            hand_over(errand.outcome, error)
        else:
            hand_over(errand.outcome, outcome)
        finally:
            self._is_on_errand = False

    def _pump(self) -> None:
        """One request is written at once; those that come meanwhile go together."""
        while len(self._writers) < WRITERS and (work := self._next()) is not None:
            writer = asyncio.create_task(work)
            self._writers.add(writer)
            writer.add_done_callback(self._done)

    def _done(self, writer: asyncio.Task[None]) -> None:
        self._writers.discard(writer)
        self._pump()

    async def stop(self) -> None:
        """What was sent is stored, if that does not take too long."""
        async with asyncio.timeout(STOP_WITHIN_S):
            while self._writers:
                await asyncio.wait(self._writers)

    def _taken(self) -> list[Waiting]:
        """The first request and those of the same actor that fit in beside it."""
        first = self._waiting[0]
        who, size = alike(first.sent.actor), 0
        taken: list[Waiting] = []
        kept: list[Waiting] = []
        for waiting in self._waiting:
            count = waiting.sent.prepared.size
            fits = not taken or size + count <= TOGETHER
            if waiting.receipt.done():  # its client has gone
                continue
            if fits and alike(waiting.sent.actor) == who:
                taken.append(waiting)
                size += count
            else:
                kept.append(waiting)
        self._waiting = kept
        return taken

    async def _write(self, taken: Sequence[Waiting]) -> None:
        if not taken:
            return
        try:
            receipts = await self._store([waiting.sent for waiting in taken])
        except Exception as error:  # noqa: BLE001  (each is tried alone, or its client told)
            await self._write_apart(taken, error)
            return
        for waiting, receipt in zip(taken, receipts, strict=True):
            hand_over(waiting.receipt, receipt)

    async def _store(self, sent: Sequence[Sent]) -> list[Receipt]:
        started = time.perf_counter()
        async with self._database.unit_of_work() as session:
            receipts = await IngestBatchService(session, sent[0].actor).store(sent)
        self._measure(sent, receipts, time.perf_counter() - started)
        await self.fold(sent[0].actor, {key for each in sent for key in each.span_keys})
        return receipts

    def _measure(self, sent: Sequence[Sent], receipts: Sequence[Receipt], seconds: float) -> None:
        rejected = sum(receipt.rejected for receipt in receipts)
        accepted = max(0, sum(each.prepared.size for each in sent) - rejected)
        self.meters.batches_stored(len(sent), accepted, rejected, seconds)

    async def fold(self, actor: Actor, keys: Collection[SpanKey]) -> None:
        """Give spans what logs tell of them, where both are committed now.

        Raise ``Unavailable``; any other failure leaves what is stored as it was sent.
        """
        try:
            async with self._database.looking() as session:
                told = await SpanLogs(session, actor).told(keys)
            for start in range(0, len(told), AT_ONCE):
                async with self._database.unit_of_work() as session:
                    await SpanLogs(session, actor).fold(told[start : start + AT_ONCE])
        except Exception as error:
            known = as_app_error(error)
            if isinstance(known, Unavailable):
                raise
            log.exception("logs are not in their spans")

    async def _write_apart(self, taken: Sequence[Waiting], error: Exception) -> None:
        """One after the other, so that what one request holds does not refuse the others."""
        for waiting in taken:
            if waiting.receipt.done():
                continue
            try:
                if isinstance(as_app_error(error), Unavailable) and len(taken) == 1:
                    raise error
                hand_over(waiting.receipt, await self._store_what_can_be(waiting.sent))
            except Exception as failure:  # noqa: BLE001  (the client is told)
                hand_over(waiting.receipt, told(failure))

    async def _store_what_can_be(self, sent: Sent) -> Receipt:
        """Once more; then in ever smaller parts, to find the span that cannot be stored."""
        try:
            return (await self._store([sent]))[0]
        except Exception as error:
            known = as_app_error(error)
            if isinstance(known, Unavailable) or not sent.prepared.traces:
                raise
            log.warning("a batch is stored in parts", error=type(error).__name__)
        rejected = await self._parts(sent, sent.prepared)
        left = replace(sent.prepared, traces={}, rejected=[*sent.prepared.rejected, *rejected])
        return (await self._store([replace(sent, prepared=left)]))[0]

    async def _parts(self, sent: Sent, prepared: Prepared) -> list[Rejection]:
        if not prepared.traces:
            return []
        try:
            await self._store([replace(sent, prepared=prepared)])
        except Exception as error:
            if isinstance(as_app_error(error), Unavailable):
                raise
            single = only_item(prepared)
            if single is None:
                one, other = halves(prepared)
                return [*await self._parts(sent, one), *await self._parts(sent, other)]
            log.warning("a span cannot be stored", error=type(error).__name__)
            return [rejection_of(item.wire, REFUSED) for item in single.items.values()]
        return []


def told(error: Exception) -> AppError:
    """What the client hears: our own faults are for a while, so that it sends again."""
    known = as_app_error(error)
    if known is None or known.status >= 500:
        if known is None:
            log.error("spans are not stored", exc_info=error)
        return Unavailable(known.message if known else FAILED)
    return known
