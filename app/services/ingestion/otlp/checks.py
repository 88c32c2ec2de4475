"""What makes a span storable, for both encodings. Source: trace/v1/trace.proto."""

from datetime import UTC, datetime, timedelta

from app.models.spans import SpanStatus
from app.schemas.base import MAX_BIGINT

MAX_DEPTH = 64
MAX_ATTRIBUTES = 2_000
MAX_EVENTS = 1_000
MAX_LINKS = 100
LIMITS = {"attributes": MAX_ATTRIBUTES, "events": MAX_EVENTS, "links": MAX_LINKS}
MAX_DROPPED = 2**32 - 1  # what a uint32 holds
MAX_NAME = 300
CLOCK_SKEW = timedelta(days=1)
STATUSES = {0: SpanStatus.UNSET, 1: SpanStatus.OK, 2: SpanStatus.ERROR}
# Bits of ``Span.flags``: whether it is known where the parent is, and that it is elsewhere.
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
NOT_SPANS = (
    "It has neither a trace id nor a span id. Are these log records or metrics? They go to "
    "/v1/logs and /v1/metrics."
)


def latest_ns() -> int:
    """A start after this moment is no clock that is a little ahead."""
    return int((datetime.now(UTC) + CLOCK_SKEW).timestamp() * 1e9)


def problem_of(trace_id: bytes, span_id: bytes, start_ns: int, latest: int) -> str | None:
    """Why a span with these cannot be stored, or ``None``."""
    if not trace_id and not span_id:
        return NOT_SPANS
    if len(trace_id) != 16 or not any(trace_id):
        return "The trace id must be 16 bytes (32 hex digits) that are not all zero."
    if len(span_id) != 8 or not any(span_id):
        return "The span id must be 8 bytes (16 hex digits) that are not all zero."
    if not 0 < start_ns <= MAX_BIGINT:
        return "The start time is missing."
    if start_ns > latest:
        return "The start time is more than a day in the future: nanoseconds since 1970, please."
    return None


def end_of(start_ns: int, end_ns: int) -> int | None:
    """``None`` while the span is open. Clocks that are set back make no negative durations."""
    if end_ns <= 0:
        return None
    return min(max(start_ns, end_ns), MAX_BIGINT)


def name_of(name: str) -> str:
    return name.replace("\x00", "").strip()[:MAX_NAME] or "unnamed"


def dropped(sent: tuple[int, int, int], said: tuple[int, int, int]) -> tuple[dict[str, int], bool]:
    """How many attributes, events and links are left out, and whether it is us who cut some.

    Of each there are ``sent`` many; the sender has left out ``said`` many itself.
    """
    cut = [max(0, count - limit) for count, limit in zip(sent, LIMITS.values(), strict=True)]
    counts = zip(LIMITS, cut, said, strict=True)
    found = {name: min(ours + max(0, theirs), MAX_DROPPED) for name, ours, theirs in counts}
    return {name: count for name, count in found.items() if count}, any(cut)


def parent_is_remote(flags: int) -> bool:
    return bool(flags & HAS_IS_REMOTE and flags & IS_REMOTE)


def parent_of(parent_id: bytes, span_id: bytes) -> bytes | None:
    """``None`` for a root; nothing is its own parent."""
    usable = len(parent_id) == 8 and any(parent_id) and parent_id != span_id
    return parent_id if usable else None
