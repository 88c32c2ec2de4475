"""The span of time that a page is asked to show: a usual length, or from and to."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from starlette.requests import Request

from app.core.texts import _, lazy
from app.core.zones import shown_zone
from app.pages import listing
from app.pages.axes import range_label
from app.services.time_windows import DAY, Window

USUAL = "24h"
RANGES = (
    ("1h", lazy("1 h")),
    ("24h", lazy("24 h")),
    ("7d", lazy("7 d")),
    ("30d", lazy("30 d")),
    ("90d", lazy("90 d")),
    ("all", lazy("All")),
)
LENGTHS = {
    "1h": timedelta(hours=1),
    "24h": DAY,
    "7d": 7 * DAY,
    "30d": 30 * DAY,
    "90d": 90 * DAY,
}
SHORT_WORDS = dict(RANGES) | {"1h": lazy("hour")}
LABELS = {
    "1h": lazy("Last hour"),
    "24h": lazy("Last 24 hours"),
    "7d": lazy("Last 7 days"),
    "30d": lazy("Last 30 days"),
    "90d": lazy("Last 90 days"),
}
SHORTEST = timedelta(minutes=5)
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChosenTime:
    """What was asked for. ``window`` is ``None`` for all time, which the caller looks up."""

    key: str  # one of RANGES, or "" for from and to
    window: Window | None
    label: str
    problem: str | None = None

    @property
    def length_words(self) -> str | None:
        """As in "vs the 24 h before"; ``None`` where nothing is before."""
        if self.window is None:
            return None
        return SHORT_WORDS.get(self.key) or length_words(self.window.length)


def length_words(length: timedelta) -> str:
    if length >= 2 * DAY:
        return _("%(num).3g d", num=length / DAY)
    if length >= timedelta(hours=2):
        return _("%(num).3g h", num=length / timedelta(hours=1))
    return _("%(num).3g min", num=length / timedelta(minutes=1))


def moment_of(text: str, zone: tzinfo, *, is_end: bool) -> datetime:
    """A moment with or without its offset, or a day. Raise ``ValueError`` for anything else."""
    written = text.strip()
    if len(written) == len("2026-11-01"):
        day = date.fromisoformat(written) + timedelta(days=is_end)
        moment = datetime.combine(day, time(), zone)
    else:
        moment = datetime.fromisoformat(written)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("too far away")
    return moment.astimezone(UTC)


def from_and_to(since: str, until: str, zone: tzinfo, now: datetime) -> Window:
    """Raise ``ValueError`` for what is none; an end that is left out is now."""
    first = moment_of(since, zone, is_end=False)
    last = moment_of(until, zone, is_end=True) if until else now
    if first >= last:
        raise ValueError("the end is before the start")
    return Window(first, max(last, first + SHORTEST))


def range_of(request: Request, usual: str = USUAL) -> ChosenTime:
    """The range in the URL. What is none is said, and the usual one shown: a link never breaks."""
    params, now, zone = request.query_params, datetime.now(UTC), shown_zone()
    problem = None
    if since := params.get("since"):
        try:
            window = from_and_to(since, params.get("until", ""), zone, now)
        except (ValueError, OverflowError):
            problem = _("From and to are two moments, the later one last.")
        else:
            return ChosenTime("", window, range_label(window, zone))
    key = params.get("range", usual)
    if key == "all":
        return ChosenTime("all", None, _("All runs"), problem)
    key = key if key in LENGTHS else usual
    return ChosenTime(key, Window(now - LENGTHS[key], now), LABELS[key], problem)


def range_links(request: Request) -> list[tuple[str, str, str]]:
    """``(key, text, href)`` with what else is chosen on the page."""
    params = {
        name: value
        for name, value in listing.current_params(request).items()
        if name not in ("range", "since", "until")
    }
    return [
        (key, text, listing.href(request.url.path, params | {"range": key})) for key, text in RANGES
    ]


def field_value(moment: datetime) -> str:
    """As ``<input type="datetime-local">`` has it, on the wall of who looks."""
    return f"{moment.astimezone(shown_zone()):%Y-%m-%dT%H:%M}"
