"""Work that goes on beside the requests for as long as the process serves."""

import asyncio


class Background:
    """``start`` it once and ``stop`` it at the end; ``_work`` runs in between, for ever."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        # A cancellation can be lost, when what was waited for comes at the same moment.
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.5)

    async def _work(self) -> None:
        raise NotImplementedError
