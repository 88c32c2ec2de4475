"""Runs as the analysis sees them, made by hand, reports of them, and jobs that have reports."""

from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, Job, JobStatus
from app.models.executions import ExecutionStatus
from app.models.spans import SpanKind, SpanStatus
from app.schemas.analyses import (
    AnalysisReport,
    AnalysisRequest,
    AnalysisSummary,
    Finding,
    FindingKind,
)
from app.services.analysis.engine import Asked, part_of, report_of
from app.services.analysis.runs import Revision, Run, Step
from tests.factories.jobs import make_job

SECOND_NS = 1_000_000_000
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
REVISION = Revision(1, {"weather": CITY, "book": {}}, 500)


class Trace:
    """Steps one after the other, each a second long; ids count from 1."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, kind: SpanKind, name: str, **values: Any) -> "Trace":
        number = len(self.steps) + 1
        start = number * SECOND_NS
        given: dict[str, Any] = {
            "span_id": number.to_bytes(8, "big"),
            "parent_span_id": None,
            "kind": kind,
            "name": name,
            "status": SpanStatus.UNSET,
            "start_ns": start,
            "end_ns": start + SECOND_NS,
        }
        self.steps.append(Step(**given | values))
        return self

    def says(self, text: str, **values: Any) -> "Trace":
        """A model call that answers with text."""
        given: dict[str, Any] = {"output": {"role": "assistant", "content": text}}
        return self.step(SpanKind.LLM, "chat", **given | values)

    def calls(
        self, tool: str, arguments: Any, result: Any = "ok", *, failed: bool = False, **values: Any
    ) -> "Trace":
        """A tool call with what it came back with."""
        status = SpanStatus.ERROR if failed else SpanStatus.OK
        given = {"tool_name": tool, "input": arguments, "output": result, "status": status}
        return self.step(SpanKind.TOOL, tool, **given | values)


def make_run(run_id: int = 1, trace: Trace | None = None, **values: Any) -> Run:
    """A run that succeeded, under ``REVISION``."""
    given: dict[str, Any] = {"status": ExecutionStatus.SUCCEEDED, "revision": REVISION}
    steps = tuple(trace.steps) if trace else ()
    return Run(id=run_id, steps=steps, **given | values)


def make_report(*runs: Run, **request: Any) -> AnalysisReport:
    asked = Asked(1, AnalysisRequest.model_validate(request), more_runs=False)
    return report_of(part_of(runs), asked)


def findings_in(*runs: Run, kind: FindingKind) -> list[Finding]:
    return [finding for finding in make_report(*runs).findings if finding.kind is kind]


@cache
def full_report() -> AnalysisReport:
    """One with something in every part of it."""
    return make_report(*(telling_run(number) for number in range(1, 61)))


def telling_run(number: int) -> Run:
    """Of two revisions, the newer one worse; with loops, cut-off answers and broken schemas."""
    trace, usage = Trace(), {"model_name": "gpt-4o", "output_tokens": 40}
    for call in range(6):
        tokens, cost = 2_000 * (call + 1), Decimal("0.001") * (number % 7 + 1)
        trace.says("Let me see.", input_tokens=tokens, cost=cost, **usage)
        trace.calls("weather", {"city": "Rome"} if number % 3 else {}, {"sun": number % 2})
    trace.calls("book", {"day": number}, "Error: sold out", failed=True)
    trace.calls("fly", {"to": "Rome"})
    trace.says("Everything is booked.", input_tokens=14_000, output_tokens=500)
    failed = number % 3 != 1 if number % 2 else number % 12 == 0
    return make_run(
        number,
        trace,
        status=ExecutionStatus.FAILED if failed else ExecutionStatus.SUCCEEDED,
        error="ProviderTimeout" if failed else None,
        revision=Revision(1 + number % 2, REVISION.schemas | {"swim": {}}, 500),
        latency_ms=1_000 * number if number < 60 else 900_000,
        cost=Decimal("0.01") * number,
        input_tokens=14_000,
        output_tokens=740,
        started_at_us=1_790_000_000_000_000 + number * 3_600_000_000,
    )


def with_summary(**values: Any) -> AnalysisReport:
    """The full report with what came of asking a model for a summary."""
    given: dict[str, Any] = {"model": "gpt-4o", "text": None, "reason": None, "findings": 3}
    spent = {"input_tokens": 1_200, "output_tokens": 80, "cost": Decimal("0.0125")}
    summary = AnalysisSummary(**given | spent | values)
    return full_report().model_copy(update={"summary": summary})


async def make_analysis(
    session: AsyncSession, actor: Actor, agent: Agent, report: AnalysisReport | None = None
) -> Job:
    """One that has ended, with this report or one that has it all."""
    made = (report or full_report()).model_copy(update={"agent_id": agent.id})
    return await make_job(
        session,
        actor,
        agent_id=agent.id,
        params={"request": AnalysisRequest().model_dump(mode="json"), "revision_id": None},
        status=JobStatus.SUCCEEDED,
        progress=100,
        attempts=1,
        result=made.model_dump(mode="json"),
    )
