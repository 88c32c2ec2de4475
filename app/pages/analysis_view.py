"""A report as its page draws it: findings by severity, numbers scaled for the charts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from app.core.templating import day, duration, money
from app.core.texts import _, lazy, ngettext
from app.core.wording import number
from app.core.zones import local
from app.pages.charts import nice_top, path_of, points
from app.pages.listing import href
from app.schemas.analyses import (
    AnalysisReport,
    AnalysisRequest,
    AnalysisSummary,
    Bar,
    ContextGrowth,
    ContextUnit,
    Distribution,
    Finding,
    FindingKind,
    RevisionFigures,
    Severity,
    SummaryModel,
)
from app.schemas.days import end_of_day, start_of_day
from app.services.analysis.summaries import parts_of

LABELS: Mapping[FindingKind, str] = {
    FindingKind.FAILURES: lazy("Failed runs"),
    FindingKind.UNFINISHED_RUNS: lazy("Unfinished runs"),
    FindingKind.REPEATED_CALLS: lazy("Repeated calls"),
    FindingKind.IGNORED_TOOL_ERRORS: lazy("Ignored tool errors"),
    FindingKind.UNRESOLVED_TOOL_ERRORS: lazy("Unresolved tool errors"),
    FindingKind.FAILING_TOOL: lazy("Failing tool"),
    FindingKind.BROKEN_ARGUMENTS: lazy("Broken arguments"),
    FindingKind.UNKNOWN_TOOL: lazy("Unknown tool"),
    FindingKind.TRUNCATED_OUTPUTS: lazy("Truncated answers"),
    FindingKind.BREAKING_OFF: lazy("Answers that break off"),
    FindingKind.GROWING_CONTEXT: lazy("Growing context"),
    FindingKind.REVISION_DIFFERENCE: lazy("Revisions compared"),
    FindingKind.SLOW_RUNS: lazy("Slow runs"),
    FindingKind.COSTLY_RUNS: lazy("Costly runs"),
    FindingKind.UNUSED_TOOLS: lazy("Unused tools"),
}


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding by its number in the report, the list that has all of it (if one does), and its
    detail unless just given."""

    number: int
    finding: Finding
    label: str
    all_href: str | None
    detail: str | None

    @property
    def evidence_words(self) -> str:
        """``See 20 of 35 cases``."""
        shown, total = len(self.finding.evidence), self.finding.total
        if shown < total:
            return _("See %(shown)s of %(total)s cases", shown=number(shown), total=number(total))
        return _("See the case") if total == 1 else _("See %(total)s cases", total=number(total))


@dataclass(frozen=True, slots=True)
class Group:
    severity: Severity
    findings: list[ShownFinding]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars in percent of the chart's height, and the same as rows of a table."""

    series: list[dict[str, Any]]
    y_labels: list[str]
    rows: list[tuple[str, str]]
    summary: str


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Lines in a box of 100 by 100; too few points make no line."""

    unit: str
    runs: int
    lines: list[dict[str, str]]
    y_labels: list[str]
    x_labels: list[str]
    rows: list[tuple[str, ...]]
    summary: str


@dataclass(frozen=True, slots=True)
class ShownSummary:
    """Paragraphs in pieces, each text or the number of a finding, and what it took."""

    summary: AnalysisSummary
    paragraphs: list[list[tuple[str, int | None]]]
    facts: str


@dataclass(frozen=True, slots=True)
class ReportView:
    summary: ShownSummary | None
    groups: list[Group]
    latency: Histogram | None
    cost: Histogram | None
    contexts: list[GrowthChart]
    outcomes: list[tuple[str, int, float]]  # status, runs, percent
    revisions: list[tuple[RevisionFigures, str]]  # with the failure rate in words
    notes: list[str]
    period: str


def view_of(report: AnalysisReport) -> ReportView:
    runs = max(1, report.scope.runs)
    return ReportView(
        summary=None if report.summary is None else summary_view(report, report.summary),
        groups=groups_of(report),
        latency=histogram(report.latency_ms, duration),
        cost=histogram(report.cost_usd, lambda usd: money(Decimal(repr(usd)))),
        contexts=[growth_chart(growth) for growth in report.contexts],
        outcomes=[(row.status.value, row.runs, row.runs / runs * 100) for row in report.statuses],
        revisions=[(row, rate_words(row)) for row in report.revisions],
        notes=notes_on(report),
        period=period_words(report),
    )


def summary_view(report: AnalysisReport, summary: AnalysisSummary) -> ShownSummary:
    paragraphs = [part.strip() for part in (summary.text or "").splitlines() if part.strip()]
    return ShownSummary(
        summary, [list(parts_of(part)) for part in paragraphs], facts_of(report, summary)
    )


def facts_of(report: AnalysisReport, summary: AnalysisSummary) -> str:
    """What the summary rests on and what it cost."""
    facts = []
    if 0 < summary.findings < len(report.findings):
        facts.append(_("of the first %(findings)s findings", findings=number(summary.findings)))
    if summary.input_tokens is not None or summary.output_tokens is not None:
        tokens = f"{number(summary.input_tokens)} / {number(summary.output_tokens)}"
        facts += [_("%(tokens)s tokens in / out", tokens=tokens), money(summary.cost)]
    return " · ".join(facts)


def writer_choices(writers: Mapping[SummaryModel, str]) -> list[tuple[str, str]]:
    """Whose model writes, the agent's own first; none where no model can."""
    words = {
        SummaryModel.AGENT: _("the agent's own"),
        SummaryModel.INSTANCE: _("this server's choice"),
    }
    return [(whose.value, f"{model}, {words[whose]}") for whose, model in writers.items()]


def groups_of(report: AnalysisReport) -> list[Group]:
    """By severity. What finding after finding would repeat is said once."""
    groups: list[Group] = []
    said: str | None = None
    for place, finding in enumerate(report.findings, 1):
        if not groups or groups[-1].severity is not finding.severity:
            groups.append(Group(finding.severity, []))
            said = None
        detail = None if finding.detail == said else finding.detail
        said = finding.detail
        where = None
        if finding.kind is FindingKind.FAILURES:
            where = href("/executions", {"agent_id": report.agent_id, "status": "failed"})
        shown = ShownFinding(place, finding, LABELS[finding.kind], where, detail)
        groups[-1].findings.append(shown)
    return groups


def histogram(found: Distribution, written: Callable[[float], str]) -> Histogram | None:
    if not found.known or found.p50 is None or found.p95 is None:
        return None
    top = nice_top(max(bar.count for bar in found.bars))
    return Histogram(
        series=[bar_of(bar, top, written) for bar in found.bars],
        y_labels=[f"{top:g}", f"{top / 2:g}", "0"],
        rows=[(range_words(bar, written), number(bar.count)) for bar in found.bars],
        summary=ngettext(
            "%(num)s run, half of them up to %(half)s, 95 %% up to %(most)s",
            "%(num)s runs, half of them up to %(half)s, 95 %% up to %(most)s",
            found.known,
            half=written(found.p50),
            most=written(found.p95),
        ),
    )


def bar_of(bar: Bar, top: float, written: Callable[[float], str]) -> dict[str, Any]:
    return {
        "label": written(bar.low),
        "height_percent": round(bar.count / top * 100, 2),
        "bad_percent": 0,
        "title": ngettext(
            "%(range)s: %(num)s run",
            "%(range)s: %(num)s runs",
            bar.count,
            range=range_words(bar, written),
        ),
    }


def range_words(bar: Bar, written: Callable[[float], str]) -> str:
    return written(0) if bar.high == 0 else f"{written(bar.low)} – {written(bar.high)}"


def growth_chart(growth: ContextGrowth) -> GrowthChart:
    top = nice_top(max(point.highest for point in growth.points))
    series = {
        _("Largest"): ("b", [point.highest for point in growth.points]),
        _("Median"): ("", [point.p50 for point in growth.points]),
    }
    last = growth.points[-1]
    return GrowthChart(
        unit=growth.unit.value,
        runs=growth.runs,
        lines=[
            {"label": name, "kind": kind, "d": path_of(points(values, 100, 100, top))}
            for name, (kind, values) in series.items()
        ]
        if len(growth.points) > 1
        else [],
        y_labels=[number(round(top * step / 4)) for step in range(4, -1, -1)],
        # Of two calls, the one in the middle is the first.
        x_labels=[_("call %(at)s", at=at) for at in sorted({1, (last.call + 1) // 2, last.call})],
        rows=[
            (str(p.call), number(p.runs), number(round(p.p50)), number(round(p.highest)))
            for p in growth.points
        ],
        summary=growth_words(growth),
    )


def growth_words(growth: ContextGrowth) -> str:
    if growth.unit is ContextUnit.TOKENS:
        return ngettext(
            "Tokens of input by model call, over %(num)s run",
            "Tokens of input by model call, over %(num)s runs",
            growth.runs,
        )
    return ngettext(
        "Characters of input by model call, over %(num)s run",
        "Characters of input by model call, over %(num)s runs",
        growth.runs,
    )


def rate_words(row: RevisionFigures) -> str:
    """With the range that the true rate is likely in; of a few runs, the count alone."""
    counts = _("%(failed)s of %(ended)s", failed=number(row.failed), ended=number(row.ended))
    if row.failure_rate is None or row.failure_low is None or row.failure_high is None:
        return _("none ended")
    if row.few_runs:
        return counts
    rate, low, high = (
        f"{v * 100:.0f}" for v in (row.failure_rate, row.failure_low, row.failure_high)
    )
    return f"{rate} % ({low} – {high} %), {counts}"


def notes_on(report: AnalysisReport) -> list[str]:
    """What a reader must know about the figures."""
    scope, found = report.scope, []
    if scope.more_runs:
        found.append(
            _(
                "Older runs match too: only the newest %(limit)s were looked at.",
                limit=number(scope.limit),
            )
        )
    if scope.made_up_times:
        found.append(
            _(
                "%(runs)s come from a source without times: latencies and slow "
                "steps leave them out.",
                runs=all_or_some(scope.made_up_times, scope.runs),
            )
        )
    if scope.without_steps:
        found.append(
            _(
                "%(runs)s were reported without steps: what the agent did in them cannot be seen.",
                runs=all_or_some(scope.without_steps, scope.runs),
            )
        )
    if scope.read_in_part:
        found.append(
            ngettext(
                "%(num)s very large run was read in part.",
                "%(num)s very large runs were read in part.",
                scope.read_in_part,
            )
        )
    return found


def all_or_some(part: int, whole: int) -> str:
    if part == whole:
        return ngettext("The %(num)s run", "All %(num)s runs", whole)
    return ngettext("%(part)s of %(num)s run", "%(part)s of %(num)s runs", whole, part=number(part))


def period_words(report: AnalysisReport) -> str:
    """From the first run that was looked at to the last."""
    first, last = report.scope.first_started_at, report.scope.last_started_at
    if first is None or last is None:
        return ""
    days = day(first), day(last)
    return (
        days[0] if days[0] == days[1] else _("%(first)s to %(last)s", first=days[0], last=days[1])
    )


def scope_words(request: AnalysisRequest) -> str:
    """What was asked for, such as ``newest 500 runs of revision 3, from 2026-11-01``."""
    words = [
        ngettext("newest run", "newest %(num)s runs", request.limit)
        if request.revision is None
        else ngettext(
            "newest run of revision %(revision)s",
            "newest %(num)s runs of revision %(revision)s",
            request.limit,
            revision=request.revision,
        )
    ]
    if request.since is not None:
        words.append(_("from %(day)s", day=local(request.since).date().isoformat()))
    if request.until is not None:
        # Days are written as people mean them: the last one is part of it.
        last = request.until - timedelta(microseconds=1)
        words.append(_("to %(day)s", day=local(last).date().isoformat()))
    return ", ".join(words)


def request_values(values: Mapping[str, str]) -> dict[str, object]:
    """The form's days as moments; the last day is meant to its end."""
    given: dict[str, object] = {name: text for name, text in values.items() if text.strip()}
    if "since" in given:
        given["since"] = start_of_day(given["since"])
    if "until" in given:
        given["until"] = end_of_day(given["until"])
    return given
