"""The same tool called with the same arguments again and again within one run.

Waiting is not looping: whether the results differed is said, and judged, beside the count.
"""

import json
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from itertools import groupby
from typing import Any

from app.core.wording import plural
from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.counting import Keyed, Sighting, Sightings, sighting
from app.services.analysis.findings import finding
from app.services.analysis.runs import Call, Run
from app.services.analysis.words import share

REPEATS = 3
MANY = 1_000_000  # more than one run calls


class Results(IntEnum):
    """What the repeated calls came back with; the first is shown first."""

    SAME = 0
    DIFFERENT = 1
    UNKNOWN = 2


class RepeatsOfTool:
    def __init__(self) -> None:
        self.seen = Sightings()
        self.results: Counter[Results] = Counter()
        self.longest = 0

    def note(self, run: Run, groups: list[list[Call]]) -> None:
        self.seen.note([repeated(run, group) for group in groups])
        self.results.update(map(results_of, groups))
        self.longest = max([self.longest, *map(len, groups)])

    def merge(self, other: "RepeatsOfTool") -> None:
        self.seen.merge(other.seen)
        self.results.update(other.results)
        self.longest = max(self.longest, other.longest)


class Loops:
    def __init__(self) -> None:
        self.runs = 0
        self.tools: Keyed[str, RepeatsOfTool] = Keyed(RepeatsOfTool)

    def add(self, run: Run) -> None:
        self.runs += 1
        groups = sorted(repetitions(run.calls), key=tool_of)
        for name, of_tool in groupby(groups, key=tool_of):
            self.tools[name].note(run, list(of_tool))

    def merge(self, other: "Loops") -> None:
        self.runs += other.runs
        self.tools.merge(other.tools)

    def findings(self) -> Iterator[Finding]:
        for name, repeats in self.tools.items():
            in_circles = repeats.results[Results.SAME] > 0
            yield finding(
                FindingKind.REPEATED_CALLS,
                Severity.MEDIUM if in_circles else Severity.LOW,
                f"{name} was called {times(repeats.longest)} with the same arguments in "
                f"{share(repeats.seen.runs, self.runs, 'run')}; {results_in_words(repeats)}.",
                repeats.seen,
                subject=name,
                detail=CIRCLES if in_circles else PERHAPS_WAITING,
            )


CIRCLES = (
    "Where the same call has the same result each time, the agent goes round in circles. An error "
    "that says what to do instead, or a rule in the prompt, often ends that."
)
PERHAPS_WAITING = "The agent may have been waiting for something, which is no fault."


def times(longest: int) -> str:
    return f"{REPEATS} times" if longest == REPEATS else f"{REPEATS} to {longest} times"


def tool_of(group: list[Call]) -> str:
    return group[0].name


def results_in_words(repeats: RepeatsOfTool) -> str:
    same, total = repeats.results[Results.SAME], repeats.seen.total
    if same == total:
        return "the result was the same every time"
    if same:
        return f"in {same:,} of {total:,} cases the result was the same every time"
    if repeats.results[Results.DIFFERENT]:
        return "the results differed"
    return "the results were not reported"


def repetitions(calls: list[Call]) -> list[list[Call]]:
    """Calls of one tool with equal arguments, where there are enough; unknown ones equal none."""
    same: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        if call.arguments is not None:
            same.setdefault((call.name, canonical(call.arguments)), []).append(call)
    return [group for group in same.values() if len(group) >= REPEATS]


def canonical(value: Any) -> str:  # any JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def distinct_results(group: list[Call]) -> int:
    return len({canonical(call.result) for call in group})


def results_of(group: list[Call]) -> Results:
    if any(call.result is None for call in group):
        return Results.UNKNOWN
    return Results.SAME if distinct_results(group) == 1 else Results.DIFFERENT


def repeated(run: Run, group: list[Call]) -> Sighting:
    """Points at the last of the calls."""
    results, failed = results_of(group), sum(call.failed for call in group)
    told = {
        Results.SAME: "the same result each time",
        Results.DIFFERENT: plural(distinct_results(group), "different result"),
        Results.UNKNOWN: "results not reported",
    }
    errors = "" if not failed else ", all failed" if failed == len(group) else f", {failed} failed"
    return sighting(
        run.id,
        group[-1].span_id,
        f"{len(group)} calls, {told[results]}{errors}",
        rank=MANY * results - len(group),
        place=group[-1].turn,
    )
