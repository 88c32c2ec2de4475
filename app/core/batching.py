"""Looking up at once what many requests ask for at the same time.

Nothing is kept: an answer was read after the last of its askers had asked, so it is as fresh as a
query of one's own would be, in any number of processes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Lookup = Callable[[Collection[K]], Awaitable[Mapping[K, V]]]


class Batch(Generic[K, V]):
    """One lookup at a time; who asks meanwhile is answered by the next one."""

    def __init__(self, lookup: Lookup[K, V]) -> None:
        self._lookup = lookup
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """What the lookup finds for the key. Raises what the lookup raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        # One asker who leaves must not take the answer from the others.
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                await self._answer(asked)
        finally:
            self._task = None

    async def _answer(self, asked: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._lookup(asked.keys())
        except Exception as error:  # noqa: BLE001  (it is raised again in each who asked)
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # seen, also where nobody waits any more
            return
        except BaseException:
            for answer in asked.values():
                answer.cancel()
            raise
        for key, answer in asked.items():
            answer.set_result(found.get(key))
