"""Words as people type them, turned into PostgreSQL full-text queries."""

import re

from sqlalchemy import ColumnElement, false, func
from sqlalchemy.orm import InstrumentedAttribute

WORD = re.compile(r"\w+")
MAX_WORDS = 16


def matches(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], text: str
) -> ColumnElement[bool]:
    """Rows whose indexed words start with each word of ``text``; the index answers it."""
    words = WORD.findall(text.replace("\x00", " "))[:MAX_WORDS]
    if not words:
        return false()
    query = " & ".join(f"'{word}':*" for word in words)
    return column.op("@@", is_comparison=True)(func.to_tsquery("simple", query))
