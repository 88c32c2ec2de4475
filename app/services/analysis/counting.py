"""Counts that can be made in parts: whatever the parts and their order, the sum is the same.

Sums are of integers and decimals, which add up exactly; floats appear in results only.
"""

import hashlib
import math
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from decimal import Decimal
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from app.schemas.analyses import Bar, Distribution, Evidence

# Relative error of a sketch: values within 1 % share a bucket.
ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
LOG_GAMMA = math.log(GAMMA)
# Six to a decade, each about half as much again as the one before.
EDGES = (Decimal(1), Decimal("1.5"), Decimal(2), Decimal(3), Decimal(5), Decimal(7))
MAX_EVIDENCE, OF_ONE_RUN = 20, 3
MAX_KEYS = 2_000


class Countable(Protocol):
    """Something counted over many runs."""

    def merge(self, other: Self) -> None: ...


T = TypeVar("T", bound=Countable)
K = TypeVar("K", bound=Hashable)


class Sketch:
    """Quantiles of any number of values from 0, in growing buckets (DDSketch, VLDB 2019)."""

    def __init__(self) -> None:
        self.buckets: Counter[int] = Counter()
        self.zeros = 0
        self.count = 0
        self.lowest: int | None = None
        self.highest = 0

    def add(self, value: int) -> None:
        self.count += 1
        self._reach(value, value)
        if value <= 0:
            self.zeros += 1
        else:
            self.buckets[math.ceil(math.log(value) / LOG_GAMMA)] += 1

    def merge(self, other: "Sketch") -> None:
        self.buckets.update(other.buckets)
        self.zeros += other.zeros
        self.count += other.count
        if other.lowest is not None:
            self._reach(other.lowest, other.highest)

    def _reach(self, lowest: int, highest: int) -> None:
        self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)
        self.highest = max(self.highest, highest)

    def quantile(self, fraction: float) -> float:
        """Within 1 %, written with three digits that count; 0 where there is nothing."""
        wanted, passed = fraction * (self.count - 1), self.zeros
        if self.lowest is None or passed > wanted:
            return 0.0
        for index in sorted(self.buckets):
            passed += self.buckets[index]
            if passed > wanted:
                middle = significant(2 * GAMMA**index / (GAMMA + 1), 3)
                return float(min(self.highest, max(self.lowest, middle)))
        return float(self.highest)


class Sample:
    """Exact values, one of each run at the most."""

    def __init__(self) -> None:
        self.values: Counter[int | Decimal] = Counter()
        self.unknown = 0

    def add(self, value: int | Decimal | None) -> None:
        if value is None:
            self.unknown += 1
        else:
            self.values[value] += 1

    def merge(self, other: "Sample") -> None:
        self.values.update(other.values)
        self.unknown += other.unknown

    @property
    def known(self) -> int:
        return self.values.total()

    @property
    def total(self) -> Decimal | None:
        if not self.values:
            return None
        return sum((Decimal(value) * n for value, n in self.values.items()), Decimal(0))

    def in_order(self) -> list[int | Decimal]:
        return sorted(self.values.elements())

    def quantile(self, fraction: float) -> float | None:
        return quantile_of(self.in_order(), fraction)

    def above(self, limit: float) -> int:
        """How many values are higher."""
        return sum(n for value, n in self.values.items() if value > limit)

    def distribution(self) -> Distribution:
        ordered = self.in_order()
        return Distribution(
            known=len(ordered),
            unknown=self.unknown,
            total=self.total,
            lowest=float(ordered[0]) if ordered else None,
            p50=quantile_of(ordered, 0.5),
            p90=quantile_of(ordered, 0.9),
            p95=quantile_of(ordered, 0.95),
            p99=quantile_of(ordered, 0.99),
            highest=float(ordered[-1]) if ordered else None,
            bars=bars_of(ordered),
        )


def significant(value: float, digits: int) -> float:
    """With so many digits that count."""
    return float(f"{value:.{digits}g}")


def quantile_of(ordered: list[int | Decimal], fraction: float) -> float | None:
    """As PostgreSQL's ``percentile_cont``: between two values, on the line between them."""
    if not ordered:
        return None
    place = fraction * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    between = float(below) + (float(above) - float(below)) * (place - math.floor(place))
    return significant(between, 6)


def floor_edge(value: Decimal) -> Decimal:
    """The edge at or below a value above 0."""
    decade = Decimal(1).scaleb(value.adjusted())
    return EDGES[bisect_right(EDGES, value / decade) - 1] * decade


def next_edge(edge: Decimal) -> Decimal:
    decade = Decimal(1).scaleb(edge.adjusted())
    place = EDGES.index(edge / decade) + 1
    return EDGES[place] * decade if place < len(EDGES) else 10 * decade


def bars_of(ordered: list[int | Decimal]) -> list[Bar]:
    """From the lowest value to the highest, empty bars included; zeros have one of their own."""
    zeros = sum(value <= 0 for value in ordered)
    bars = [Bar(low=0.0, high=0.0, count=zeros)] if zeros else []
    counts = Counter(floor_edge(Decimal(value)) for value in ordered[zeros:])
    if not counts:
        return bars
    edge, last = min(counts), max(counts)
    while edge <= last:
        bars.append(Bar(low=float(edge), high=float(next_edge(edge)), count=counts[edge]))
        edge = next_edge(edge)
    return bars


class Sighting(NamedTuple):
    """Something seen in a run. The lowest ``rank`` is shown first, of equal ones the newest run."""

    rank: int | Decimal
    newest: int  # the run's id, negated
    place: int
    span_id: str | None
    note: str | None

    @property
    def evidence(self) -> Evidence:
        return Evidence(execution_id=-self.newest, span_id=self.span_id, note=self.note)

    @property
    def order(self) -> tuple[int | Decimal, int, int, str, str]:
        return self.rank, self.newest, self.place, self.span_id or "", self.note or ""


def sighting(
    run_id: int,
    span_id: str | None = None,
    note: str | None = None,
    *,
    rank: int | Decimal = 0,
    place: int = 0,
) -> Sighting:
    return Sighting(rank, -run_id, place, span_id, note)


class Sightings:
    """How often something was seen, in how many runs, and the first few of it."""

    def __init__(self, kept: int = MAX_EVIDENCE) -> None:
        self.limit = kept
        self.runs = 0
        self.total = 0
        self.first: list[Sighting] = []

    def note(self, seen: Iterable[Sighting]) -> None:
        """All that was seen in one run; a few of it stand for the rest."""
        found = sorted(seen, key=lambda one: one.order)
        self.runs += bool(found)
        self.total += len(found)
        for one in found[:OF_ONE_RUN]:
            self._keep(one)

    def _keep(self, one: Sighting) -> None:
        if len(self.first) >= self.limit and one.order >= self.first[-1].order:
            return
        insort(self.first, one, key=lambda kept: kept.order)
        del self.first[self.limit :]

    def merge(self, other: "Sightings") -> None:
        self.runs += other.runs
        self.total += other.total
        for one in other.first:
            self._keep(one)

    @property
    def evidence(self) -> list[Evidence]:
        return [one.evidence for one in self.first]


class Number:
    """A number of things."""

    def __init__(self) -> None:
        self.count = 0

    def merge(self, other: "Number") -> None:
        self.count += other.count


class Keyed(Generic[K, T]):
    """Countables by a key. Of more keys than can be kept, a fixed choice stays: by their hash.

    Whatever is chosen is counted whole, in whichever parts it comes: a key that was dropped once
    is dropped again.
    """

    def __init__(self, make: Callable[[], T], limit: int = MAX_KEYS) -> None:
        self._make = make
        self._limit = limit
        self._items: dict[K, T] = {}

    def __getitem__(self, key: K) -> T:
        if key not in self._items:
            self._items[key] = self._make()
            self._prune(2 * self._limit)
        # One that does not stay may be counted, and is dropped with its count.
        found = self._items.get(key)
        return self._make() if found is None else found

    def merge(self, other: "Keyed[K, T]") -> None:
        for key, item in other._items.items():
            self[key].merge(item)

    def _prune(self, beyond: int) -> None:
        if len(self._items) > beyond:
            kept = sorted(self._items, key=digest)[: self._limit]
            self._items = {key: self._items[key] for key in kept}

    def items(self) -> Iterator[tuple[K, T]]:
        """In the order of the keys' texts."""
        self._prune(self._limit)
        yield from sorted(self._items.items(), key=lambda item: str(item[0]))


def digest(key: Hashable) -> bytes:
    return hashlib.sha256(str(key).encode("utf-8", "replace")).digest()
