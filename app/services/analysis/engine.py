"""All that is looked for, over chunks of runs, and the report of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.models.spans import SpanKind
from app.schemas.analyses import REPORT_VERSION, AnalysisReport, AnalysisRequest, Finding, Scope
from app.services.analysis.contexts import Contexts
from app.services.analysis.findings import in_order
from app.services.analysis.loops import Loops
from app.services.analysis.outcomes import Outcomes
from app.services.analysis.outputs import Outputs
from app.services.analysis.revisions import Revisions
from app.services.analysis.runs import Chunk, Run, runs_of
from app.services.analysis.spending import Spending
from app.services.analysis.steps import Steps
from app.services.analysis.tool_errors import ToolErrors
from app.services.analysis.tools import Tools

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Extent:
    """How much was looked at."""

    def __init__(self) -> None:
        self.runs = self.steps = self.model_calls = self.tool_calls = 0
        self.read_in_part = self.without_steps = self.made_up_times = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def add(self, run: Run) -> None:
        self.runs += 1
        self.steps += len(run.steps)
        self.model_calls += sum(step.kind is SpanKind.LLM for step in run.steps)
        self.tool_calls += len(run.calls)
        self.read_in_part += not run.is_whole
        self.without_steps += not run.steps
        self.made_up_times += run.has_made_up_times
        self._reach(run.started_at_us, run.started_at_us)

    def _reach(self, first_us: int, last_us: int) -> None:
        self.first_us = first_us if self.first_us is None else min(self.first_us, first_us)
        self.last_us = last_us if self.last_us is None else max(self.last_us, last_us)

    def merge(self, other: "Extent") -> None:
        for name in ("runs", "steps", "model_calls", "tool_calls"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("read_in_part", "without_steps", "made_up_times"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.first_us is not None and other.last_us is not None:
            self._reach(other.first_us, other.last_us)


class Part:
    """What some of the runs say."""

    def __init__(self) -> None:
        self.extent = Extent()
        self.outcomes = Outcomes()
        self.spending = Spending()
        self.steps = Steps()
        self.loops = Loops()
        self.tools = Tools()
        self.tool_errors = ToolErrors()
        self.outputs = Outputs()
        self.contexts = Contexts()
        self.revisions = Revisions()

    def add(self, run: Run) -> None:
        for tally in vars(self).values():
            tally.add(run)

    def merge(self, other: "Part") -> None:
        for name, tally in vars(self).items():
            tally.merge(getattr(other, name))

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        for tally in vars(self).values():
            if not isinstance(tally, Extent | Steps):
                found.extend(tally.findings())
        return in_order(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is to be about. ``more_runs``: whether the limit left older ones out."""

    agent_id: int
    request: AnalysisRequest
    more_runs: bool


def part_of(runs: Sequence[Run]) -> Part:
    part = Part()
    for run in runs:
        part.add(run)
    return part


def read_chunk(chunk: Chunk) -> Part:
    """For another process: from rows to what they say."""
    return part_of(runs_of(chunk))


def report_of(part: Part, asked: Asked) -> AnalysisReport:
    return AnalysisReport(
        version=REPORT_VERSION,
        agent_id=asked.agent_id,
        summary=None,
        scope=scope_of(part.extent, asked),
        findings=part.findings(),
        statuses=part.outcomes.status_counts(),
        errors=part.outcomes.error_counts(),
        latency_ms=part.spending.latency.distribution(),
        cost_usd=part.spending.cost.distribution(),
        input_tokens=part.spending.input_tokens.distribution(),
        output_tokens=part.spending.output_tokens.distribution(),
        slow_steps=part.steps.slow(),
        costly_steps=part.steps.costly(),
        tools=part.tools.rows(),
        contexts=part.contexts.rows(),
        revisions=part.revisions.rows(),
    )


def scope_of(extent: Extent, asked: Asked) -> Scope:
    request = asked.request
    return Scope(
        since=request.since,
        until=request.until,
        revision=request.revision,
        limit=request.limit,
        runs=extent.runs,
        steps=extent.steps,
        model_calls=extent.model_calls,
        tool_calls=extent.tool_calls,
        more_runs=asked.more_runs,
        read_in_part=extent.read_in_part,
        without_steps=extent.without_steps,
        made_up_times=extent.made_up_times,
        first_started_at=moment_of(extent.first_us),
        last_started_at=moment_of(extent.last_us),
    )


def moment_of(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
