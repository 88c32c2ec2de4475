"""Our own synchronous Jinja environment, and the filters that templates use."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import UnknownLocaleError
from babel.dates import format_skeleton
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from app.core.browsers import browser_name
from app.core.config import PROJECT_ROOT
from app.core.message_markdown import message_html
from app.core.script_texts import script_texts
from app.core.text_templates import TextEnvironment, translate
from app.core.texts import ENGLISH, _, mark, ngettext, spoken
from app.core.wording import change, number, plural, sentence, size, span, words
from app.core.zones import local, offset_text

TEMPLATES = PROJECT_ROOT / "templates"
STATIC = PROJECT_ROOT / "static"
# Past a month "how long ago" says less than the date.
DATE_AFTER_S = 30 * 86_400
SMALLEST_SHOWN = Decimal("0.0001")
# Controls, marks and overrides of direction, separators of no width, and the invisible letters.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069"
    "\ufeff\U000e0000-\U000e007f]"
)
STEPS = (
    (60, 1, mark("%(num)s s ago"), mark("in %(num)s s")),
    (3600, 60, mark("%(num)s min ago"), mark("in %(num)s min")),
    (86_400, 3600, mark("%(num)s h ago"), mark("in %(num)s h")),
)


@lru_cache(maxsize=512)
def _digest(path: Path, _changed_ns: int) -> str:
    """Kept for as long as the file is not changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def static_url(path: str) -> str:
    """A URL that changes with the file, so that browsers may keep it for ever."""
    file = STATIC / path
    return f"/static/{path}?v={_digest(file, file.stat().st_mtime_ns)}"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def absolute(moment: datetime) -> str:
    """In the zone of who looks at it, with how far that is from UTC."""
    there = local(moment)
    return f"{there:%Y-%m-%d %H:%M:%S} {offset_text(there)}"


def short_moment(moment: datetime) -> str:
    """``24 Nov, 13:05``, for where the whole is told beside it."""
    there = local(moment)
    return f"{day_and_month(there)}, {there:%H:%M}"


def clock(moment: datetime) -> str:
    """Of today or yesterday, where that is plain."""
    return f"{local(moment):%H:%M}"


def day(moment: datetime) -> str:
    return f"{local(moment):%Y-%m-%d}"


def day_and_month(there: datetime, year: str = "") -> str:
    """``24 Nov``, ``24 Nov 2026``, as the reader's language has it."""
    if spoken().tag == ENGLISH:
        return f"{there.day} {there:%b}{year and there.strftime(' %Y')}"
    try:
        return format_skeleton(f"d{year}MMM", there, locale=spoken().tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError, KeyError):
        return f"{there:%Y-%m-%d}" if year else f"{there:%m-%d}"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """``3 min ago``, ``in 5 days``, ``just now``."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    size = abs(seconds)
    if size < 10:
        return _("just now")
    if size >= DATE_AFTER_S:
        return day_and_month(local(moment), year="y")
    if size >= 86_400:
        days = int(size // 86_400)
        if seconds > 0:
            return ngettext("%(num)s day ago", "%(num)s days ago", days)
        return ngettext("in %(num)s day", "in %(num)s days", days)
    divisor, before, after = next(step[1:] for step in STEPS if size < step[0])
    return _(before if seconds > 0 else after, num=int(size // divisor))


def money(value: Decimal | None) -> str:
    """Dollars with as many digits as a small amount needs; unknown is said, never 0."""
    if value is None:
        return _("unpriced")
    if 0 < value < SMALLEST_SHOWN:
        return f"< ${SMALLEST_SHOWN}"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:,.4f}"


def price(value: Decimal) -> str:
    """Dollars with every digit that there is."""
    return f"${value.normalize():f}"


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds:,.0f} ms"
    if milliseconds < 120_000:
        return f"{milliseconds / 1000:,.1f} s"
    minutes = f"{milliseconds / 60_000:,.1f}"
    return _("%(num)s min", num=minutes)


def visible(text: str) -> Markup:
    """The text as HTML, in which characters that show nothing, or turn what follows, are named."""
    return Markup(HIDDEN.sub(named_character, str(escape(text))))  # noqa: S704  (escaped first)


def formatted(text: str) -> Markup | None:
    """Markdown of a model as HTML; ``None`` for a text that is better read as it is."""
    return message_html(text, visible)


def named_character(found: re.Match[str]) -> str:
    name = unicodedata.name(found[0], "control character").lower()
    return f'<span class="ctrl" title="{name}">U+{ord(found[0]):04X}</span>'


def pretty_json(value: Any) -> str:  # any JSON value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


class Templates:
    """Renders ``templates/``; what a template does not know raises instead of showing nothing.

    ``reload`` looks before each use whether a file has changed: dozens of times a page.
    """

    def __init__(self, directory: Path = TEMPLATES, *, reload: bool = False) -> None:
        self.directory = directory
        self.reload = reload
        self.environments: dict[str, Environment] = {}
        self.environment = self.environment_in(ENGLISH)

    def environment_in(self, language: str) -> Environment:
        """One for each language that was asked for: templates are compiled in it."""
        if language not in self.environments:
            environment = TextEnvironment(
                loader=FileSystemLoader(self.directory),
                # Mails are plain text; everything else is HTML.
                autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
                undefined=StrictUndefined,
                auto_reload=self.reload,
                trim_blocks=True,
                lstrip_blocks=True,
            )
            environment.language = language
            register(environment)
            self.environments[language] = environment
        return self.environments[language]

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """In the language of the request."""
        return self.environment_in(spoken().tag).get_template(name).render(context)


def register(environment: Environment) -> None:
    """Filters and globals for any environment that renders our templates."""
    environment.filters |= {
        "visible": visible,
        "browser": browser_name,
        "formatted": formatted,
        "price": price,
        "iso": iso,
        "absolute": absolute,
        "short_moment": short_moment,
        "day": day,
        "clock": clock,
        "ago": ago,
        "number": number,
        "money": money,
        "duration": duration,
        "pretty_json": pretty_json,
        "plural": plural,
        "size": size,
        "change": change,
        "span": span,
        "words": words,
        "sentence": sentence,
    }
    environment.globals |= {"static": static_url, "spoken": spoken, "script_texts": script_texts}
    translate(environment)
