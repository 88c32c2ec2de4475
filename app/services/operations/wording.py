"""Statements as they may be shown, and counts that stopped somewhere."""

import re

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


def up_to(limit: int, number: int) -> str:
    """``12``, ``1,000+`` where counting stopped at the limit."""
    return f"{number:,}+" if number >= limit else f"{number:,}"
