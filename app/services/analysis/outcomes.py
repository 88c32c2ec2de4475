"""How runs ended: statuses, errors, and those that never did."""

from collections import Counter
from collections.abc import Iterator

from app.core.wording import plural
from app.models.executions import OPEN_STATUSES, ExecutionStatus
from app.schemas.analyses import ErrorCount, Finding, FindingKind, Severity, StatusCount
from app.services.analysis.counting import Keyed, Sightings, sighting
from app.services.analysis.findings import finding, severity_of
from app.services.analysis.runs import Run
from app.services.analysis.words import share

MAX_ERRORS, SHOWN_EVIDENCE = 20, 3
UNNAMED = "no error named"


class Outcomes:
    def __init__(self) -> None:
        self.statuses: Counter[ExecutionStatus] = Counter()
        self.failed = Sightings()
        self.stalled = Sightings()
        self.errors: Keyed[str, Sightings] = Keyed(Sightings)

    def add(self, run: Run) -> None:
        self.statuses[run.status] += 1
        if run.status is ExecutionStatus.STALLED:
            self.stalled.note([sighting(run.id)])
        if run.status is ExecutionStatus.FAILED:
            error = run.error or UNNAMED
            self.failed.note([sighting(run.id, note=error)])
            self.errors[error].note([sighting(run.id)])

    def merge(self, other: "Outcomes") -> None:
        self.statuses.update(other.statuses)
        self.failed.merge(other.failed)
        self.stalled.merge(other.stalled)
        self.errors.merge(other.errors)

    @property
    def ended(self) -> int:
        return self.statuses.total() - sum(self.statuses[status] for status in OPEN_STATUSES)

    def status_counts(self) -> list[StatusCount]:
        return [
            StatusCount(status=status, runs=self.statuses[status])
            for status in ExecutionStatus
            if self.statuses[status]
        ]

    def error_counts(self) -> list[ErrorCount]:
        """The most frequent ones."""
        found = [
            ErrorCount(error=error, runs=seen.runs, evidence=seen.evidence[:SHOWN_EVIDENCE])
            for error, seen in self.errors.items()
        ]
        return sorted(found, key=lambda row: (-row.runs, row.error))[:MAX_ERRORS]

    def findings(self) -> Iterator[Finding]:
        if self.failed.runs:
            yield finding(
                FindingKind.FAILURES,
                severity_of(self.failed.runs, self.ended),
                f"{share(self.failed.runs, self.ended, 'run')} failed{self._most_frequent()}.",
                self.failed,
            )
        if self.stalled.runs:
            yield finding(
                FindingKind.UNFINISHED_RUNS,
                Severity.MEDIUM,
                f"{plural(self.stalled.runs, 'run')} never reported an end.",
                self.stalled,
                detail="The runtime fell silent: it may have crashed or have been stopped.",
            )

    def _most_frequent(self) -> str:
        first = self.error_counts()[0]
        if first.error == UNNAMED:
            return ""
        every = first.runs == self.failed.runs
        return f", {'all' if every else f'{first.runs:,}'} of them with {first.error}"
