"""The steps that take the time and the money."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from app.models.spans import SpanKind, SpanStatus
from app.schemas.analyses import StepCost, StepTime
from app.services.analysis.counting import Keyed, Sightings, Sketch, sighting
from app.services.analysis.runs import Run, Step
from app.services.analysis.words import dollars, milliseconds
from app.services.traces import leaf_model_steps

NS_PER_MS, NS_PER_US = 1_000_000, 1_000
MAX_ROWS = 15


class StepTally:
    """All steps of one kind and label."""

    def __init__(self) -> None:
        self.count = self.failed = self.unpriced = self.own_ns = 0
        self.durations_us = Sketch()
        self.cost: Decimal | None = None
        self.priced = 0
        self.slowest = Sightings(1)
        self.costliest = Sightings(1)

    def merge(self, other: "StepTally") -> None:
        self.count += other.count
        self.failed += other.failed
        self.unpriced += other.unpriced
        self.own_ns += other.own_ns
        self.durations_us.merge(other.durations_us)
        self.add_cost(other.cost, other.priced)
        self.slowest.merge(other.slowest)
        self.costliest.merge(other.costliest)

    def add_cost(self, cost: Decimal | None, steps: int = 1) -> None:
        if cost is not None:
            self.cost = cost + (self.cost or 0)
            self.priced += steps


Key = tuple[str, str]  # kind and label


class Steps:
    def __init__(self) -> None:
        self.tallies: Keyed[Key, StepTally] = Keyed(StepTally)

    def add(self, run: Run) -> None:
        if not run.has_made_up_times:
            own = own_times(run.steps)
            for step in run.steps:
                self._add_time(run, step, own)
        steps: list[Any] = [*run.steps]  # the protocol's fields can be set, those of ours not
        for priced in leaf_model_steps(steps):
            self._add_cost(run, priced)

    def _add_time(self, run: Run, step: Step, own: dict[int, int]) -> None:
        if step.duration_ns is None:
            return
        tally = self.tallies[key_of(step)]
        tally.count += 1
        tally.failed += step.status is SpanStatus.ERROR
        tally.own_ns += own[id(step)]
        tally.durations_us.add(step.duration_ns // NS_PER_US)
        note = milliseconds(step.duration_ns / NS_PER_MS)
        tally.slowest.note([sighting(run.id, step.hex_id, note, rank=-step.duration_ns)])

    def _add_cost(self, run: Run, step: Any) -> None:  # a Step
        tally = self.tallies[key_of(step)]
        if step.cost is None:
            tally.unpriced += 1
            return
        tally.add_cost(step.cost)
        note = dollars(step.cost)
        tally.costliest.note([sighting(run.id, step.hex_id, note, rank=-step.cost)])

    def merge(self, other: "Steps") -> None:
        self.tallies.merge(other.tallies)

    def slow(self) -> list[StepTime]:
        """Those whose own time adds up to the most."""
        timed = [(key, tally) for key, tally in self.tallies.items() if tally.count]
        whole = sum(tally.own_ns for _, tally in timed)
        ordered = sorted(timed, key=lambda item: (-item[1].own_ns, item[0]))
        return [time_of(key, tally, whole) for key, tally in ordered[:MAX_ROWS]]

    def costly(self) -> list[StepCost]:
        """Those whose known cost adds up to the most."""
        priced = [(key, tally) for key, tally in self.tallies.items() if tally.cost]
        whole = sum((tally.cost or Decimal(0) for _, tally in priced), Decimal(0))
        ordered = sorted(priced, key=lambda item: (-(item[1].cost or 0), item[0]))
        return [cost_of(key, tally, whole) for key, tally in ordered[:MAX_ROWS]]


def key_of(step: Step) -> Key:
    return step.kind.value, step.label


def time_of(key: Key, tally: StepTally, whole_ns: int) -> StepTime:
    durations = tally.durations_us
    return StepTime(
        kind=SpanKind(key[0]),
        name=key[1],
        steps=tally.count,
        failed=tally.failed,
        own_ms=tally.own_ns / NS_PER_MS,
        share=round(tally.own_ns / whole_ns, 4) if whole_ns else 0.0,
        p50_ms=durations.quantile(0.5) / 1000,
        p95_ms=durations.quantile(0.95) / 1000,
        slowest_ms=durations.highest / 1000,
        slowest=tally.slowest.evidence[0],
    )


def cost_of(key: Key, tally: StepTally, whole: Decimal) -> StepCost:
    costliest = tally.costliest.first[0]
    return StepCost(
        kind=SpanKind(key[0]),
        name=key[1],
        steps=tally.priced + tally.unpriced,
        unpriced=tally.unpriced,
        cost=tally.cost or Decimal(0),
        share=round(float((tally.cost or 0) / whole), 4),
        costliest_usd=-Decimal(costliest.rank),
        costliest=costliest.evidence,
    )


def own_times(steps: Sequence[Step]) -> dict[int, int]:
    """Nanoseconds of each step, by ``id()``, during which no step below it ran."""
    below: dict[bytes, list[Step]] = {}
    for step in steps:
        if step.parent_span_id is not None and step.parent_span_id != step.span_id:
            below.setdefault(step.parent_span_id, []).append(step)
    return {id(step): own_time(step, below.get(step.span_id, ())) for step in steps}


def own_time(step: Step, below: Iterable[Step]) -> int:
    """Steps below may overlap each other, and may outlast the step itself."""
    if step.end_ns is None:
        return 0
    covered, until = 0, step.start_ns
    for child in sorted(below, key=lambda child: child.start_ns):
        end = min(step.end_ns, child.end_ns or child.start_ns)
        covered += max(0, end - max(until, child.start_ns))
        until = max(until, end)
    return max(0, step.end_ns - step.start_ns - covered)
