"""What the spans of a trace say of the run as a whole, whatever order they arrive in.

Of each field the claim that counts most is kept, with what it counts by; so any two sets of claims
merge to the same, in any order and however often. Pure functions.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from app.models.executions import ExecutionStatus
from app.models.spans import MODEL_KINDS, SpanKind, SpanStatus
from app.schemas.base import MAX_BIGINT
from app.services.ingestion.dialects import words_in
from app.services.ingestion.facts import AgentFacts, SpanFacts
from app.services.ingestion.reports import latency_ms, preview_of
from app.services.ingestion.wire import WireSpan
from app.services.spans import moment_of

# [rank, order, span id in hex, end in ns or 0 while open, value]: the smallest counts most.
Claim = list[Any]
Claims = dict[str, Any]  # field: claim; and "tags", which add up
Speaker = tuple[WireSpan, SpanKind]
Header = dict[str, Any]  # columns of ``executions``
MAX_TAGS, MAX_SHORT, MAX_ERROR = 50, 200, 10_000
ROOT, REMOTE, INNER = 0, 1, 2
DETAILS = ("end_user", "environment", "release")
CARRIED = ("session_id", *DETAILS)


def counts_more(new: Claim, old: Claim | None) -> bool:
    """A span that is sent again says it anew, unless that is from before its end.

    With another start it is a span of its own, which is stored beside the first.
    """
    if old is None:
        return True
    if new[1:3] == old[1:3]:
        return bool(new[3] >= old[3])
    return bool(new[:3] < old[:3])


def merge(claims: Claims, more: Claims) -> set[str]:
    """Take what counts more into ``claims``: the fields that are claimed anew."""
    changed = set()
    for field, claim in more.items():
        if field == "tags":
            claims["tags"] = sorted({*claims.get("tags", ()), *claim})[:MAX_TAGS]
        elif counts_more(claim, claims.get(field)):
            claims[field] = claim
            changed.add(field)
    return changed


def place_of(span: WireSpan) -> int:
    """How likely it is the root: it has no parent, or one in another service."""
    if span.parent_span_id is None:
        return ROOT
    return REMOTE if span.parent_is_remote else INNER


def agent_rank(span_kind: SpanKind, agent: AgentFacts) -> int:
    if agent.greenroom_id:
        return 0
    if agent.name or agent.id:
        return 1 if span_kind is SpanKind.AGENT else 2
    return 3


def error_claim(span: WireSpan, facts: SpanFacts) -> dict[str, str | None]:
    text = facts.error or span.status_message or None
    return {
        "error": text[:MAX_ERROR] if text else None,
        "error_type": facts.error_type[:MAX_SHORT] if facts.error_type else None,
    }


def take(claims: Claims, field: str, claim: Claim) -> None:
    """Keep it where it counts more than what is known."""
    if counts_more(claim, claims.get(field)):
        claims[field] = claim


def claim_for(claims: Claims, span: WireSpan, facts: SpanFacts) -> None:
    """Take what one span says of its run into ``claims``, but for what was asked and answered."""
    place, start_ns, span_id = place_of(span), span.start_ns, span.span_id.hex()
    end_ns = span.end_ns or 0
    take(claims, "first", [0, start_ns, span_id, end_ns, None])
    take(claims, "last", [0, -start_ns, span_id, end_ns, None])
    rank, said = agent_rank(facts.kind, facts.agent), facts.agent.as_list()
    take(claims, "agent", [rank, start_ns, span_id, end_ns, said])
    if place != INNER:
        take(claims, "root", [place, start_ns, span_id, end_ns, span.status.value])
    if facts.model_name:
        said_model = facts.model_name[:MAX_SHORT]
        is_other = facts.kind not in MODEL_KINDS
        take(claims, "model_name", [is_other, start_ns, span_id, end_ns, said_model])
    for field in CARRIED:
        if value := getattr(facts, field):
            take(claims, field, [place, start_ns, span_id, end_ns, value[:MAX_SHORT]])
    if span.status is SpanStatus.ERROR:
        take(claims, "error", [place, start_ns, span_id, end_ns, error_claim(span, facts)])
    if facts.tags:
        merge(claims, {"tags": [tag[:64] for tag in facts.tags]})


def may_speak(span: WireSpan, facts: SpanFacts) -> bool:
    """The root says what was asked and answered, else its first and its last call of a model."""
    return facts.kind in MODEL_KINDS or place_of(span) != INNER


def claim_words(claims: Claims, field: str, speakers: Iterable[Speaker]) -> Any:  # a JSON value
    """Claim the ``input`` or ``output`` that counts most, and return it; no other is read."""
    heads = ((head_of(field, span), span, kind) for span, kind in speakers)
    for head, span, kind in sorted(heads, key=lambda each: (each[0][:3], -each[0][3])):
        said = getattr(words_in(span, kind), field)
        if said is not None:
            claims[field] = [*head, preview_of(said) if field == "input" else None]
            return said
    return None


def head_of(field: str, span: WireSpan) -> Claim:
    """What the words of a span count by: of what was asked the first, else the last."""
    order = span.start_ns if field == "input" else -(span.end_ns or span.start_ns)
    return [place_of(span), order, span.span_id.hex(), span.end_ns or 0]


def value_in(claims: Mapping[str, Any], field: str) -> Any:  # as it was claimed
    claim = claims.get(field)
    return None if claim is None else claim[4]


def agent_in(claims: Claims) -> AgentFacts:
    return AgentFacts(*(value_in(claims, "agent") or ()))


def status_in(claims: Claims) -> ExecutionStatus:
    """Running until the root has ended; then the root says how."""
    root = claims.get("root")
    if root is None or not root[3]:
        return ExecutionStatus.RUNNING
    is_bad = root[4] == SpanStatus.ERROR.value
    return ExecutionStatus.FAILED if is_bad else ExecutionStatus.SUCCEEDED


def header_of(claims: Claims) -> Header:
    """The columns of the run that follow from the claims; from the root's own end, its end."""
    first_ns: int = claims["first"][1]
    root, status = claims.get("root"), status_in(claims)
    started_at = moment_of(first_ns)
    ended_at = None if status is ExecutionStatus.RUNNING or root is None else moment_of(root[3])
    failed = status is ExecutionStatus.FAILED
    return {
        "status": status,
        "started_at": started_at,
        "ended_at": ended_at,
        "latency_ms": latency_ms(started_at, ended_at),
        "session_id": value_in(claims, "session_id"),
        "model_name": value_in(claims, "model_name"),
        "preview": value_in(claims, "input"),
        "error_type": (value_in(claims, "error") or {}).get("error_type") if failed else None,
        "tags": claims.get("tags", []),
    }


def details_of(claims: Claims) -> dict[str, str]:
    """What else is known of the run: its metadata."""
    found = {field: value_in(claims, field) for field in DETAILS}
    found["service"] = agent_in(claims).service_name
    return {field: value for field, value in found.items() if value}


def extent_of(claims: Claims) -> tuple[Any, Any]:
    """The first and the last start of a span, as moments, to look into few partitions."""
    last_ns = min(-claims["last"][1], MAX_BIGINT)
    return moment_of(claims["first"][1]), moment_of(last_ns) + timedelta(microseconds=1)
