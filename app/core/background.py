"""Work that goes on beside the requests for as long as the process serves."""

import asyncio


class Background:
    """``start`` it once and ``stop`` it at the end; ``_work`` runs in between, for ever."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        raise NotImplementedError
