"""Figures in sentences: counts always, percentages only where there is enough to count."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from app.core.wording import plural

# Of fewer, a percentage would say more than is known.
ENOUGH = 20
MAX_NAMED = 8
MINUTE_MS, SECOND_MS = 120_000, 1_000


def share(part: int, whole: int, noun: str) -> str:
    """``84 of 120 runs (70 %)``; without the percentage of a few."""
    counts = f"{part:,} of {plural(whole, noun)}"
    return f"{counts} ({percent(part / whole)})" if whole >= ENOUGH else counts


def percent(rate: float) -> str:
    """Whole percents, and never 0 or 100 for what is neither."""
    if 0 < rate < 0.01:
        return "under 1 %"
    if 0.99 < rate < 1:
        return "over 99 %"
    return f"{rate * 100:.0f} %"


def named(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and 3 more``."""
    shown = list(names[:MAX_NAMED])
    if len(names) > MAX_NAMED:
        return f"{', '.join(shown)} and {len(names) - MAX_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def was(count: int) -> str:
    return "was" if count == 1 else "were"


def milliseconds(value: float) -> str:
    if value < SECOND_MS:
        return f"{value:,.0f} ms"
    if value < MINUTE_MS:
        return f"{value / SECOND_MS:,.1f} s"
    return f"{value / 60_000:,.1f} min"


def dollars(value: float | Decimal) -> str:
    """With two digits that count, and in plain digits however small."""
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    places = -Decimal(value).adjusted() + 1
    return f"${value:.{places}f}"


def cut(text: str, length: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def brief(value: Any) -> str:  # any JSON value
    """Text as it is, anything else as JSON, on one line."""
    return cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
