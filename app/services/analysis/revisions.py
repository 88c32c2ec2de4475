"""Revisions beside each other, as far as the number of runs allows it."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from app.core.wording import plural
from app.models.executions import ExecutionStatus
from app.schemas.analyses import Finding, FindingKind, RevisionFigures, Severity
from app.services.analysis.counting import Keyed, Sample, Sightings, sighting
from app.services.analysis.findings import finding
from app.services.analysis.runs import Run
from app.services.analysis.words import ENOUGH, dollars, milliseconds, share

# The normal quantile of 95 %.
Z = 1.96
MAX_REVISIONS = 50


class Interval(NamedTuple):
    low: float
    high: float


class OfRevision:
    def __init__(self) -> None:
        self.runs = self.ended = self.succeeded = 0
        self.failed = Sightings()
        self.latency = Sample()
        self.cost = Sample()

    def add(self, run: Run) -> None:
        self.runs += 1
        self.ended += run.has_ended
        self.succeeded += run.has_succeeded
        if run.status is ExecutionStatus.FAILED:
            self.failed.note([sighting(run.id, note=run.error)])
        self.latency.add(run.latency_ms)
        self.cost.add(run.cost)

    def merge(self, other: "OfRevision") -> None:
        self.runs += other.runs
        self.ended += other.ended
        self.succeeded += other.succeeded
        self.failed.merge(other.failed)
        self.latency.merge(other.latency)
        self.cost.merge(other.cost)

    @property
    def rate(self) -> float:
        return self.failed.runs / self.ended

    @property
    def interval(self) -> Interval:
        return wilson(self.failed.runs, self.ended)

    def figures(self, number: int | None) -> RevisionFigures:
        low, high = self.interval if self.ended else (None, None)
        return RevisionFigures(
            number=number,
            runs=self.runs,
            ended=self.ended,
            succeeded=self.succeeded,
            failed=self.failed.runs,
            failure_rate=round(self.rate, 4) if self.ended else None,
            failure_low=low,
            failure_high=high,
            measured=self.latency.known,
            p50_ms=self.latency.quantile(0.5),
            p95_ms=self.latency.quantile(0.95),
            priced=self.cost.known,
            p50_usd=self.cost.quantile(0.5),
            few_runs=self.ended < ENOUGH,
        )


class Revisions:
    def __init__(self) -> None:
        self.revisions: Keyed[int, OfRevision] = Keyed(OfRevision)

    def add(self, run: Run) -> None:
        self.revisions[run.revision.number if run.revision else 0].add(run)

    def merge(self, other: "Revisions") -> None:
        self.revisions.merge(other.revisions)

    def by_number(self) -> list[tuple[int, OfRevision]]:
        """The newest first; 0 stands for runs of no known revision."""
        return sorted(self.revisions.items(), key=lambda item: -item[0])

    def rows(self) -> list[RevisionFigures]:
        return [each.figures(number or None) for number, each in self.by_number()][:MAX_REVISIONS]

    def findings(self) -> Iterator[Finding]:
        """The newest revision that ran, beside the one that ran before it."""
        known = [(number, each) for number, each in self.by_number() if number and each.ended]
        if len(known) < 2:
            return
        (number, new), (old_number, old) = known[:2]
        names = f"Revision {number}", f"revision {old_number}"
        if min(new.ended, old.ended) < ENOUGH:
            yield too_few(names, new, old)
            return
        found = [failures(names, new, old), latencies(names, new, old), costs(names, new, old)]
        yield from filter(None, found)


Names = tuple[str, str]


def too_few(names: Names, new: OfRevision, old: OfRevision) -> Finding:
    return finding(
        FindingKind.REVISION_DIFFERENCE,
        Severity.INFO,
        f"{names[0]} ended {plural(new.ended, 'run')} and {names[1]} ended {old.ended:,}: too "
        f"few to tell them apart.",
        new.failed,
        subject=names[0],
        detail=f"From {ENOUGH} runs of each they are compared.",
    )


def failures(names: Names, new: OfRevision, old: OfRevision) -> Finding | None:
    worse = new.rate > old.rate
    if not differ(new, old):
        return None
    return finding(
        FindingKind.REVISION_DIFFERENCE,
        Severity.HIGH if worse else Severity.INFO,
        f"{names[0]} fails {'more' if worse else 'less'} often than {names[1]}: "
        f"{share(new.failed.runs, new.ended, 'run')} against "
        f"{share(old.failed.runs, old.ended, 'run')}.",
        new.failed,
        subject=names[0],
        detail="The difference is larger than chance explains in 19 of 20 cases; that the two "
        "were asked the same things is for you to know.",
    )


def latencies(names: Names, new: OfRevision, old: OfRevision) -> Finding | None:
    mine, theirs = median_interval(new.latency), median_interval(old.latency)
    if mine is None or theirs is None or overlap(mine, theirs):
        return None
    slower = mine.low > theirs.high
    return finding(
        FindingKind.REVISION_DIFFERENCE,
        Severity.MEDIUM if slower else Severity.INFO,
        f"{names[0]} is {'slower' if slower else 'faster'} than {names[1]}: the median run takes "
        f"{milliseconds(new.latency.quantile(0.5) or 0)} against "
        f"{milliseconds(old.latency.quantile(0.5) or 0)} "
        f"({new.latency.known:,} and {old.latency.known:,} runs).",
        Sightings(),
        subject=names[0],
    )


def costs(names: Names, new: OfRevision, old: OfRevision) -> Finding | None:
    mine, theirs = median_interval(new.cost), median_interval(old.cost)
    if mine is None or theirs is None or overlap(mine, theirs):
        return None
    dearer = mine.low > theirs.high
    return finding(
        FindingKind.REVISION_DIFFERENCE,
        Severity.MEDIUM if dearer else Severity.INFO,
        f"{names[0]} costs {'more' if dearer else 'less'} than {names[1]}: the median run is "
        f"{dollars(new.cost.quantile(0.5) or 0)} against {dollars(old.cost.quantile(0.5) or 0)} "
        f"({new.cost.known:,} and {old.cost.known:,} runs).",
        Sightings(),
        subject=names[0],
    )


def wilson(part: int, whole: int) -> Interval:
    """Wilson's score interval of a rate (E. B. Wilson, JASA 22, 1927)."""
    rate, z2 = part / whole, Z * Z
    middle = (rate + z2 / (2 * whole)) / (1 + z2 / whole)
    reach = Z * math.sqrt(rate * (1 - rate) / whole + z2 / (4 * whole**2)) / (1 + z2 / whole)
    return Interval(round(max(0.0, middle - reach), 4), round(min(1.0, middle + reach), 4))


def differ(new: OfRevision, old: OfRevision) -> bool:
    """Whether Newcombe's interval of the difference leaves out 0 (Statistics in Medicine 17, 1998,
    method 10)."""
    difference = new.rate - old.rate
    mine, theirs = new.interval, old.interval
    below = math.hypot(new.rate - mine.low, theirs.high - old.rate)
    above = math.hypot(mine.high - new.rate, old.rate - theirs.low)
    return difference - below > 0 or difference + above < 0


def median_interval(sample: Sample) -> Interval | None:
    """Where the true median is in 95 of 100 cases, by ranks; ``None`` for too few values."""
    ordered = sample.in_order()
    if len(ordered) < ENOUGH:
        return None
    reach = Z * math.sqrt(len(ordered)) / 2
    low = math.floor(len(ordered) / 2 - reach)
    high = math.ceil(len(ordered) / 2 + reach)
    return Interval(float(ordered[max(0, low)]), float(ordered[min(len(ordered) - 1, high)]))


def overlap(one: Interval, other: Interval) -> bool:
    return one.low <= other.high and other.low <= one.high
