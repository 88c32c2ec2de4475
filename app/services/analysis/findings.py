"""How a finding is made of what was seen."""

from app.schemas.analyses import Finding, FindingKind, Severity
from app.services.analysis.counting import Sightings
from app.services.analysis.words import ENOUGH

OFTEN, SOMETIMES = 0.2, 0.05
SEVERITIES, KINDS = list(Severity), list(FindingKind)


def finding(
    kind: FindingKind,
    severity: Severity,
    title: str,
    seen: Sightings,
    *,
    subject: str | None = None,
    detail: str | None = None,
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        subject=subject,
        title=title,
        detail=detail,
        runs=seen.runs,
        total=seen.total,
        evidence=seen.evidence,
    )


def severity_of(part: int, whole: int) -> Severity:
    """By how often it happens; a few cases alone are never more than medium."""
    rate = part / whole
    if rate >= OFTEN:
        return Severity.HIGH if whole >= ENOUGH else Severity.MEDIUM
    return Severity.MEDIUM if rate >= SOMETIMES else Severity.LOW


def in_order(findings: list[Finding]) -> list[Finding]:
    """Worst first; of the same severity and kind, what was seen in most runs."""
    return sorted(
        findings,
        key=lambda f: (
            SEVERITIES.index(f.severity),
            KINDS.index(f.kind),
            -f.runs,
            f.subject or "",
        ),
    )
