"""Statements and counts in words."""

import re

from app.core.wording import plural

# Dollar quotes, places such as $1 (which stay), texts, numbers; what is cut off ends with the text.
LITERAL = re.compile(
    r"\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|(?P<place>\$\d+)"
    r"|E?'(?:[^'\\]|''|\\.)*(?:'|\Z)"
    r"|\b\d+(?:\.\d+)?\b",
    re.DOTALL,
)
STATEMENT_SHOWN = 300


def without_values(statement: str) -> str:
    """The statement on one line, with ? for each literal: values are people's data."""
    flat = " ".join(LITERAL.sub(lambda found: found["place"] or "?", statement).split())
    return flat if len(flat) <= STATEMENT_SHOWN else f"{flat[: STATEMENT_SHOWN - 1]}…"


def counted(number: int, noun: str, limit: int | None = None, many: str | None = None) -> str:
    """``1 job``, ``12 jobs``, ``1,000+ jobs`` where counting stopped at the limit."""
    text = plural(number, noun, many)
    return text.replace(" ", "+ ", 1) if limit is not None and number >= limit else text
