"""That this process is on its way out, for those who want to know before it is gone."""

from collections.abc import Awaitable, Callable

LastCall = Callable[[], Awaitable[None]]


class Stopping:
    """Begun by the server when it is told to stop; from then on the process is not ready."""

    def __init__(self) -> None:
        self.has_begun = False
        self._last_calls: list[LastCall] = []

    def begin(self) -> None:
        self.has_begun = True

    def at_last_call(self, end: LastCall) -> None:
        """Call ``end`` a few seconds before answers that still go on are cut off."""
        self._last_calls.append(end)

    async def last_call(self) -> None:
        for end in self._last_calls:
            await end()
