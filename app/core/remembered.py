"""What a process remembers for seconds, and forgets at once when what it follows from changes.

Three things make it exact. The database itself tells every process at the commit of each change of
the tables it follows from, whoever made it (triggers, see the migration ``forget``). The process
that made the change forgets before it answers. And nothing is remembered while the database is not
heard, or longer than ``KEPT_S`` in any case.
"""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
KEPT_S = 5.0
CHANNEL = "greenroom_forget"  # its payload is the name of the table that changed
KEY_TABLES = frozenset({"api_keys", "users"})
PRICE_TABLES = frozenset({"model_prices"})
WEBHOOK_TABLES = frozenset({"webhook_endpoints"})
SETTINGS_TABLES = frozenset({"instance_settings"})
CONFIG_TABLES = frozenset({"agents", "users", "tools"})


class Remembered(Generic[K, V]):
    """The newest values. ``follows_from`` names the tables they were read from."""

    def __init__(self, follows_from: Collection[str], *, is_heard: bool, size: int) -> None:
        self._size = size
        self._follows_from = follows_from
        self._values: dict[K, tuple[V, float]] = {}
        self._changes = 0
        self._is_heard = is_heard

    def get(self, key: K) -> V | None:
        found = self._values.get(key)
        if found is None or time.monotonic() >= found[1]:
            return None
        return found[0]

    async def read(
        self, key: K, read: Callable[[], Awaitable[V | None]], keep_s: Callable[[V], float]
    ) -> V | None:
        """What ``read`` finds, remembered unless something changed while it was reading.

        ``keep_s`` says for how many seconds it holds at most; nothing found is not remembered.
        """
        changes, began = self._changes, time.monotonic()
        value = await read()
        if value is not None and self._is_heard and changes == self._changes:
            self._put(key, value, began + min(KEPT_S, keep_s(value)))
        return value

    def _put(self, key: K, value: V, until: float) -> None:
        self._values.pop(key, None)
        self._values[key] = (value, until)
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def changed(self, tables: Collection[str]) -> None:
        """Forget everything if any of the tables matters."""
        if any(table in self._follows_from for table in tables):
            self._changes += 1
            self._values.clear()

    def heard(self, *, is_heard: bool) -> None:
        """Changes are heard of from now on, or no longer: either way what was known may be old."""
        self._is_heard = is_heard
        self._changes += 1
        self._values.clear()


class Memories:
    """All that one process remembers of one database, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Remembered[Any, Any]] = {}  # each of its own types
        self._is_heard = False
        self._told: list[Callable[[Collection[str]], None]] = []

    def tell(self, told: Callable[[Collection[str]], None]) -> None:
        """Call it with the tables of each change that is heard of."""
        self._told.append(told)

    def of(
        self, name: str, follows_from: Collection[str], size: int = 10_000
    ) -> Remembered[Any, Any]:
        """The memory of that name; made when it is first asked for."""
        memory = self._by_name.get(name)
        if memory is None:
            memory = Remembered(follows_from, is_heard=self._is_heard, size=size)
            self._by_name[name] = memory
        return memory

    def changed(self, tables: Collection[str]) -> None:
        for memory in self._by_name.values():
            memory.changed(tables)
        for told in self._told:
            told(tables)

    def heard(self, *, is_heard: bool) -> None:
        self._is_heard = is_heard
        for memory in self._by_name.values():
            memory.heard(is_heard=is_heard)


def always(_: object) -> float:
    """For values that hold until something changes."""
    return math.inf
