"""Which messages of a history were told before. Pure functions over what tells messages apart."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

# So many messages in a row that are known are the same conversation, and no coincidence.
ENOUGH = 2
MOST_ALIKE = 20


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Prints of one conversation as far as it went, in order and counted."""

    order: Sequence[int]
    counts: Counter[int]


class Histories:
    """The conversations of a run: a step continues one of them, or begins one.

    Agents below an agent have their own each, so that what one step was told is held against the
    conversation that it continues, and not against all that was ever said.
    """

    def __init__(self) -> None:
        self._by_last: dict[int, list[History]] = {}
        self._begun: set[int] = set()  # every first part of every history, as one number
        self._instructions: set[int] = set()

    def new_among(self, prints: Sequence[int], instructions: Collection[int]) -> list[int]:
        """Places of the messages that were not told yet; ``instructions`` are prints among them.

        A history may come back whole in any order, whole as far as another one went, or cut at
        its front. Instructions are told once, whoever is given them.
        """
        covered, old = self._whole(prints)
        if not covered:
            old = self._first_part(prints) or self._last_part(prints)
        for history in covered:
            self._by_last[history.order[-1]].remove(history)
        known = self._instructions & set(instructions)
        self._instructions.update(instructions)
        return [n for n, mark in enumerate(prints) if n not in old and mark not in known]

    def keep(self, prints: Sequence[int]) -> None:
        """What a step was told and answered, for the steps to come."""
        if not prints:
            return
        self._begun.update(first_parts(prints))
        history = History(prints, Counter(prints))
        self._by_last.setdefault(prints[-1], []).append(history)

    def _alike(self, mark: int) -> Sequence[History]:
        return self._by_last.get(mark, ())[-MOST_ALIKE:]

    def _whole(self, prints: Sequence[int]) -> tuple[list[History], set[int]]:
        """Histories that come back with all that they hold, and the places of that."""
        left = Counter(prints)
        covered: list[History] = []
        for last in dict.fromkeys(reversed(prints)):
            for history in self._alike(last):
                if all(left[mark] >= times for mark, times in history.counts.items()):
                    left.subtract(history.counts)
                    covered.append(history)
        told = sum((history.counts for history in covered), Counter[int]())
        old: set[int] = set()
        for place, mark in enumerate(prints):
            if told[mark] > 0:
                told[mark] -= 1
                old.add(place)
        return covered, old

    def _first_part(self, prints: Sequence[int]) -> set[int]:
        known = 0
        for length, part in enumerate(first_parts(prints), 1):
            if part not in self._begun:
                break
            known = length
        return set(range(known)) if known >= ENOUGH else set()

    def _last_part(self, prints: Sequence[int]) -> set[int]:
        for place in range(len(prints) - 1, 0, -1):
            for history in self._alike(prints[place]):
                length = shared_end(prints[: place + 1], history.order)
                if length >= ENOUGH:
                    return set(range(place + 1 - length, place + 1))
        return set()


def first_parts(prints: Sequence[int]) -> Iterable[int]:
    """The first message, the first two, and so on, each as one number."""
    part = 0
    for mark in prints:
        part = hash((part, mark))
        yield part


def shared_end(left: Sequence[int], right: Sequence[int]) -> int:
    """How many of the last are the same."""
    pairs = zip(reversed(left), reversed(right), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
