"""Time zones: which there are, and the one that the moments of this request are shown in."""

from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

USUAL = "UTC"
# Where people live; the other names are old spellings, and offsets without a place.
AREAS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
_shown: ContextVar[str] = ContextVar("shown_time_zone", default=USUAL)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every name of the IANA database, old spellings included: browsers still send some."""
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def zone_named(name: str) -> ZoneInfo:
    """UTC for a name that is no longer in the database."""
    try:
        return ZoneInfo(name if name in zone_names() else USUAL)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(USUAL)


def show_in(name: str) -> None:
    """From here on, moments of this request are shown in this zone."""
    _shown.set(name)


def shown_zone() -> ZoneInfo:
    return zone_named(_shown.get())


def local(moment: datetime) -> datetime:
    """The moment in the zone of whoever looks at it."""
    return moment.astimezone(shown_zone())


def offset_text(moment: datetime) -> str:
    """``UTC``, ``UTC+05:30``: letters such as IST or CST stand for several zones each."""
    written = f"{moment:%z}"
    return f"UTC{written[:3]}:{written[3:5]}" if moment.utcoffset() else "UTC"


def zone_choices(now: datetime | None = None) -> list[tuple[str, str]]:
    """Names to choose from, each with its offset of today."""
    now = now or datetime.now(UTC)
    names = sorted(name for name in zone_names() if name.startswith(AREAS))
    return [(name, offset_text(now.astimezone(zone_named(name)))) for name in (USUAL, *names)]
