"""Heavy work in other processes, so that the event loop goes on and a hanging one can be ended.

anyio keeps the processes: started when there is work, fresh interpreters (never forks of one with
an event loop and open connections), kept for a while for the next piece, replaced when one breaks,
killed when its work is cancelled and when the event loop ends.
"""

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, TypeVarTuple

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from app.exceptions import WorkInterrupted

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MOST_PROCESSES = 2
PATIENCE_S = 300


def usual_size() -> int:
    """A core stays free for the rest, where there are several."""
    return max(1, min(MOST_PROCESSES, (os.cpu_count() or 1) - 1))


def unpacked(packed: bytes) -> Any:  # what the work returns
    """Do the work, in the other process.

    anyio leaves it without a main module where ours has no file, and some libraries look for one
    while they are imported.
    """
    sys.modules.setdefault("__main__", ModuleType("__main__"))
    work, args = pickle.loads(packed)  # noqa: S301  (packed by us a moment ago)
    return work(*args)


class ProcessPool:
    """Runs functions of modules, whose arguments and results can be pickled."""

    def __init__(self, size: int | None = None, patience_s: float = PATIENCE_S) -> None:
        self.size = size or usual_size()
        self._patience_s = patience_s
        self._limiter = CapacityLimiter(self.size)

    async def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """``work(*args)`` in another process; cancelling it ends that process.

        Work that ends its process is begun a second time, so it must not change anything.

        Raise ``WorkInterrupted`` when the process dies or takes too long, and what ``work`` raises.
        """
        packed = pickle.dumps((work, args), pickle.HIGHEST_PROTOCOL)
        try:
            async with asyncio.timeout(self._patience_s):
                result: T = await self._ask(packed)
                return result
        except BrokenWorkerProcess as error:
            raise WorkInterrupted("The process that did the work ended unexpectedly.") from error
        except TimeoutError as error:
            raise WorkInterrupted("The work took too long and was ended.") from error

    async def _ask(self, packed: bytes) -> Any:  # what the work returns
        """Twice if need be: a process that waited may have been ended, which nobody hears of."""
        try:
            return await self._ask_once(packed)
        except BrokenWorkerProcess:
            return await self._ask_once(packed)

    async def _ask_once(self, packed: bytes) -> Any:  # what the work returns
        return await to_process.run_sync(unpacked, packed, cancellable=True, limiter=self._limiter)
