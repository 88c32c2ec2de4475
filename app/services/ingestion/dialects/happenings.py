"""Events of a span that say more about it: errors, and what was said."""

from collections.abc import Callable
from typing import Any

from app.services.ingestion.dialects.dialect import Seen
from app.services.ingestion.dialects.door import clean_text
from app.services.ingestion.dialects.values import long_text, name
from app.services.ingestion.wire import Attributes, WireEvent

Found = dict[str, Any]
Look = Callable[[Seen, Attributes], tuple[Found, int]]
TELLING = "gen_ai."
MAX_EVENTS = 1000  # more are kept, but not read


def merged(seen: Seen, found: Found, event: WireEvent, look: Look) -> int:
    """Read an event of a conversation; the span's own attributes go first."""
    if not event.name.startswith(TELLING) or len(seen.events) >= MAX_EVENTS:
        return 0
    inner = Seen(seen.span)
    more, dialects = look(inner, event.attributes)
    for fact, value in more.items():
        found.setdefault(fact, value)
    seen.events.append((event, inner))
    return dialects


def error_in(seen: Seen, found: Found) -> tuple[str | None, str | None, bool]:
    """``(message, type, failed)``: the status first, else the last exception that is told."""
    failed = seen.failed or "error_type" in found or "error" in found
    message = long_text(clean_text(seen.span.status_message)) if failed else None
    error_type: str | None = found.get("error_type")
    for event in reversed(seen.span.events):
        if failed and event.name == "exception":
            message = message or _cleaned(event, "exception.message", long_text)
            error_type = error_type or _cleaned(event, "exception.type", name)
            break
    return message or found.get("error"), error_type, failed


def _cleaned(event: WireEvent, key: str, read: Callable[[Any], str | None]) -> str | None:
    value = event.attributes.get(key)
    return read(clean_text(value)) if type(value) is str else None
