"""Time, cost and tokens of whole runs."""

from collections.abc import Iterator
from decimal import Decimal

from app.core.wording import plural
from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.counting import Sample, Sightings, sighting
from app.services.analysis.findings import finding
from app.services.analysis.runs import Run
from app.services.analysis.words import ENOUGH, dollars, milliseconds

# So many times the median is out of the ordinary.
OUTLIER = 10


class Spending:
    def __init__(self) -> None:
        self.latency = Sample()
        self.cost = Sample()
        self.input_tokens = Sample()
        self.output_tokens = Sample()
        self.slowest = Sightings()
        self.costliest = Sightings()

    def add(self, run: Run) -> None:
        self.latency.add(run.latency_ms)
        self.cost.add(run.cost)
        self.input_tokens.add(run.input_tokens)
        self.output_tokens.add(run.output_tokens)
        if run.latency_ms is not None:
            note = milliseconds(run.latency_ms)
            self.slowest.note([sighting(run.id, note=note, rank=-run.latency_ms)])
        if run.cost is not None:
            self.costliest.note([sighting(run.id, note=dollars(run.cost), rank=-run.cost)])

    def merge(self, other: "Spending") -> None:
        self.latency.merge(other.latency)
        self.cost.merge(other.cost)
        self.input_tokens.merge(other.input_tokens)
        self.output_tokens.merge(other.output_tokens)
        self.slowest.merge(other.slowest)
        self.costliest.merge(other.costliest)

    def findings(self) -> Iterator[Finding]:
        if (limit := outlier_limit(self.latency)) is not None:
            seen = only(self.slowest, self.latency, limit)
            median, highest = limit / OUTLIER, float(self.latency.in_order()[-1])
            yield finding(
                FindingKind.SLOW_RUNS,
                Severity.LOW,
                f"{plural(seen.runs, 'run')} took more than {OUTLIER} times as long as usual: up "
                f"to {milliseconds(highest)}, where the median is {milliseconds(median)}.",
                seen,
            )
        if (limit := outlier_limit(self.cost)) is not None:
            seen = only(self.costliest, self.cost, limit)
            median, highest = limit / OUTLIER, float(self.cost.in_order()[-1])
            yield finding(
                FindingKind.COSTLY_RUNS,
                Severity.MEDIUM,
                f"{plural(seen.runs, 'run')} cost more than {OUTLIER} times as much as usual: up "
                f"to {dollars(highest)}, where the median is {dollars(median)}.",
                seen,
            )


def outlier_limit(sample: Sample) -> float | None:
    """What lies above is extraordinary; ``None`` where nothing does, or too little is known."""
    median = sample.quantile(0.5)
    if sample.known < ENOUGH or not median:
        return None
    limit = median * OUTLIER
    return limit if sample.above(limit) else None


def only(seen: Sightings, sample: Sample, limit: float) -> Sightings:
    """The sightings whose value, their negated rank, is above the limit."""
    found = Sightings(seen.limit)
    found.runs = found.total = sample.above(limit)
    found.first = [one for one in seen.first if -one.rank > Decimal(limit)]
    return found
