"""Counted things in words, the same on pages, in reports and in messages."""

from datetime import timedelta

from app.core.texts import _, lazy, mark, ngettext

# Values that are stored, in words: roles, statuses, kinds of jobs, names of lists.
VALUES = frozenset(
    {
        mark("Agents"),
        mark("Analyze agent"),
        mark("Api keys"),
        mark("Apply retention"),
        mark("Assistant"),
        mark("Audit events"),
        mark("Bulk change"),
        mark("Bulk changes"),
        mark("Cancelled"),
        mark("Deliver webhook"),
        mark("Executions"),
        mark("Failed"),
        mark("Import rows"),
        mark("Jobs"),
        mark("Member"),
        mark("Model prices"),
        mark("Pending"),
        mark("Queued"),
        mark("Recompute costs"),
        mark("Run agent"),
        mark("Running"),
        mark("Send mail"),
        mark("Staff"),
        mark("Stalled"),
        mark("Succeeded"),
        mark("Superuser"),
        mark("System"),
        mark("Tool"),
        mark("Tools"),
        mark("User"),
        mark("Users"),
        mark("Viewer"),
        mark("Webhook endpoints"),
    }
)
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def words(value: str) -> str:
    """``analyze_agent`` as ``Analyze agent``, in the reader's language where it is one of ours."""
    text = value.replace("_", " ").capitalize()
    return _(text) if text in VALUES else text


def lazy_words(value: str) -> str:
    """As ``words``, for constants of modules."""
    text = value.replace("_", " ").capitalize()
    return lazy(text) if text in VALUES else text


def sentence(text: str) -> str:
    """As a sentence begins: the first letter is a capital, the others stay as they are."""
    said = str(text)
    return said[:1].upper() + said[1:]


def plural(count: int, noun: str, many: str | None = None) -> str:
    """``1 run``, ``1,200 runs``; ``many`` where it does not just take an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def size(count: float) -> str:
    """``512 bytes``, ``1.2 GB``; thousands are 1,024."""
    value, unit = float(count), 0
    while abs(value) >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 0 if unit == 0 or abs(value) >= 100 else 1
    return f"{value:,.{digits}f} {UNITS[unit]}"


def change(count: float) -> str:
    """Of a size: ``+1.2 GB``, ``-512 bytes``."""
    return f"{'+' if count >= 0 else ''}{size(count)}"


def span(length: timedelta) -> str:
    """The two largest units: ``3 days 4 h``, ``12 min``, ``0.4 s``."""
    seconds = length.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        rest = hours % 24 if days < 10 else 0
        said = [ngettext("%(num)s day", "%(num)s days", days)]
        return " ".join(said + [_("%(num)s h", num=rest)] * bool(rest))
    if hours:
        rest = minutes % 60
        return " ".join([_("%(num)s h", num=hours)] + [_("%(num)s min", num=rest)] * bool(rest))
    return _("%(num)s min", num=minutes)


def capped(count: int, limit: int) -> str:
    """``12``, or ``1,000+`` where counting stopped."""
    return f"{limit:,}+" if count > limit else f"{count:,}"


def number(value: float | None) -> str:
    """With its thousands set apart; a dash for what is not known."""
    return "–" if value is None else f"{value:,}"


def share(of_one: float, digits: int = 0) -> str:
    """0.12 as ``12%``."""
    return f"{of_one:.{digits}%}"
