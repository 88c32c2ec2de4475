"""Calls of tools that wait for what came of them."""

from collections import deque
from typing import Any


class OpenCalls:
    """Finds a call by its id, or where no ids are told by its name, the longest waiting first."""

    def __init__(self) -> None:
        self._by_id: dict[str, Any] = {}  # the newest of an id; calls, see ``ToolCall``
        self._by_name: dict[str, deque[Any]] = {}
        self._without_step: dict[tuple[str, str], deque[Any]] = {}
        self._all: deque[Any] = deque()
        self._with_id = 0

    def add(self, call: Any) -> None:  # a ToolCall
        self._all.append(call)
        self._by_name.setdefault(call.name, deque()).append(call)
        self._without_step.setdefault(("name", call.name), deque()).append(call)
        if call.call_id is not None:
            self._with_id += 1
            self._by_id[str(call.call_id)] = call
            self._without_step.setdefault(("id", str(call.call_id)), deque()).append(call)

    def mark_answered(self, call: Any) -> None:  # a ToolCall
        """What came of it was told in a message; it waits no longer."""
        call.answered = True
        self._with_id -= call.call_id is not None

    def told_by_message(self, call_id: object, name: object) -> Any | None:  # a ToolCall
        """A message may also tell what a step has told."""
        if call_id is not None:
            found = self._by_id.get(str(call_id))
            if self._with_id:
                return None if found is None or found.answered else found
        calls = self._all if name is None else self._by_name.get(str(name))
        return first_waiting(calls, stepped=True)

    def told_by_step(self, call_id: object, name: object) -> Any | None:  # a ToolCall
        if call_id is not None and self._with_id:
            return first_waiting(self._without_step.get(("id", str(call_id))), stepped=False)
        return first_waiting(self._without_step.get(("name", str(name))), stepped=False)


def first_waiting(calls: deque[Any] | None, *, stepped: bool) -> Any | None:  # ToolCalls
    """What no longer waits is dropped, so that each is looked at once."""
    while calls:
        if not calls[0].answered and (stepped or not calls[0].span_id):
            return calls[0]
        calls.popleft()
    return None
