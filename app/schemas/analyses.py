"""Analyses of an agent's runs: what is asked for, and the report that comes of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.texts import _
from app.models.executions import ExecutionStatus
from app.models.spans import SpanKind
from app.schemas.base import Amount, Flag, Input, Moment, Output, RowId
from app.schemas.jobs import JobSummary

REPORT_VERSION = 1
MAX_RUNS, USUAL_RUNS = 10_000, 1_000


class SummaryModel(StrEnum):
    """Which model writes a summary: the one the agent runs on, or the operator's choice."""

    AGENT = "agent"
    INSTANCE = "instance"


class AnalysisRequest(Input):
    """Which runs to look at: the newest ones that match, up to `limit`."""

    since: Moment | None = None
    """Runs that started then or later; absent: from the first."""
    until: Moment | None = None
    """Runs that started before; absent: to the newest."""
    revision: RowId | None = None
    """Runs of this revision alone."""
    limit: Annotated[int, Field(ge=1, le=MAX_RUNS)] = USUAL_RUNS
    """How many runs at the most, the newest first."""
    summary: Flag = False
    """Have a model of the connected provider sum the findings up. It costs what the call costs."""
    summary_model: SummaryModel = SummaryModel.AGENT
    """The agent's own model, or the instance's PROVIDER_MODEL."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError(_("since must be before until"))
        return self


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class FindingKind(StrEnum):
    """What was found; docs/analysis.md says how each is told."""

    FAILURES = "failures"
    UNFINISHED_RUNS = "unfinished_runs"
    REPEATED_CALLS = "repeated_calls"
    IGNORED_TOOL_ERRORS = "ignored_tool_errors"
    UNRESOLVED_TOOL_ERRORS = "unresolved_tool_errors"
    FAILING_TOOL = "failing_tool"
    BROKEN_ARGUMENTS = "broken_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    TRUNCATED_OUTPUTS = "truncated_outputs"
    BREAKING_OFF = "breaking_off"
    GROWING_CONTEXT = "growing_context"
    REVISION_DIFFERENCE = "revision_difference"
    SLOW_RUNS = "slow_runs"
    COSTLY_RUNS = "costly_runs"
    UNUSED_TOOLS = "unused_tools"


class Evidence(Output):
    """Where to look: a run, a step of it where one is meant, and what is to be seen there."""

    execution_id: int
    span_id: str | None
    note: str | None


class Finding(Output):
    kind: FindingKind
    severity: Severity
    subject: str | None
    """The tool, revision or error it is about."""
    title: str
    """One sentence, with its figures."""
    detail: str | None
    """How it was told, or what may be behind it."""
    runs: int
    """In how many runs it was seen."""
    total: int
    """How often it was seen in all; `evidence` holds the first few."""
    evidence: list[Evidence]


class Scope(Output):
    """Which runs the report is about."""

    since: datetime | None
    until: datetime | None
    revision: int | None
    limit: int
    runs: int
    steps: int
    model_calls: int
    tool_calls: int
    more_runs: bool
    """Whether older runs matched that the limit left out."""
    read_in_part: int
    """Runs too large to be read whole."""
    without_steps: int
    made_up_times: int
    """Runs whose source had no times: they say nothing about latency."""
    first_started_at: datetime | None
    last_started_at: datetime | None


class StatusCount(Output):
    status: ExecutionStatus
    runs: int


class ErrorCount(Output):
    """`error` is the runs' error type, or the first words of the error where there is none."""

    error: str
    runs: int
    evidence: list[Evidence]


class Bar(Output):
    """Values from `low` up to, not including, `high`."""

    low: float
    high: float
    count: int


class Distribution(Output):
    """Of the runs whose value is known. Milliseconds, USD or tokens."""

    known: int
    unknown: int
    total: Amount | None
    lowest: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    highest: float | None
    bars: list[Bar]


class StepTime(Output):
    """All steps of one name. `own_ms` leaves out what the steps below took; p50 and p95 are within
    1 %."""

    kind: SpanKind
    name: str
    steps: int
    failed: int
    own_ms: float
    share: float
    """Of the own time of all steps, from 0 to 1."""
    p50_ms: float
    p95_ms: float
    slowest_ms: float
    slowest: Evidence


class StepCost(Output):
    kind: SpanKind
    name: str
    steps: int
    unpriced: int
    cost: Amount
    """USD, of the steps whose cost is known."""
    share: float
    """Of the known cost of all steps, from 0 to 1."""
    costliest_usd: Amount
    costliest: Evidence


class ToolUse(Output):
    name: str
    calls: int
    failed: int
    runs: int
    """Runs that called it."""
    offered: int
    """Runs whose revision offers it."""
    broken: int
    """Calls whose arguments break its schema."""
    checked: int
    """Calls whose arguments could be held against its schema."""


class ContextUnit(StrEnum):
    TOKENS = "tokens"
    CHARACTERS = "characters"


class ContextPoint(Output):
    """The input of the how-manieth model call of a run, over all runs that got there."""

    call: int
    runs: int
    p50: float
    highest: float


class ContextGrowth(Output):
    """`characters` stand in where no tokens were reported."""

    unit: ContextUnit
    runs: int
    points: list[ContextPoint]


class RevisionFigures(Output):
    """`failure_low` and `failure_high` hold the true rate in 95 of 100 cases (Wilson)."""

    number: int | None
    runs: int
    ended: int
    succeeded: int
    failed: int
    failure_rate: float | None
    failure_low: float | None
    failure_high: float | None
    measured: int
    """Runs with a latency."""
    p50_ms: float | None
    p95_ms: float | None
    priced: int
    """Runs with a cost."""
    p50_usd: float | None
    few_runs: bool
    """Too few to compare."""


class AnalysisSummary(Output):
    """The findings in a few sentences that a model wrote, or why there are none."""

    model: str
    """The model that was asked."""
    text: str | None
    """Plain text; `[3]` cites the third of `findings`."""
    reason: str | None
    """Why there is no text."""
    findings: int
    """How many findings the model was given: the first ones, which are the worst."""
    input_tokens: int | None
    output_tokens: int | None
    cost: Amount | None
    """USD; null where the tokens or the price are not known."""


class AnalysisReport(Output):
    """The same runs give the same report, byte for byte, but for a summary."""

    version: int
    agent_id: int
    summary: AnalysisSummary | None
    """Null unless it was asked for."""
    scope: Scope
    findings: list[Finding]
    statuses: list[StatusCount]
    errors: list[ErrorCount]
    latency_ms: Distribution
    cost_usd: Distribution
    input_tokens: Distribution
    output_tokens: Distribution
    slow_steps: list[StepTime]
    costly_steps: list[StepCost]
    tools: list[ToolUse]
    contexts: list[ContextGrowth]
    revisions: list[RevisionFigures]


class AnalysisRead(Output):
    """The job of an analysis and, once it has succeeded, its report."""

    job: JobSummary
    request: AnalysisRequest
    report: AnalysisReport | None
