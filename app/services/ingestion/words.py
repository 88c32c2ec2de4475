"""The words that a run is found by."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select

from app.models import Execution, ExecutionBody
from app.services.search import matches

MAX_LEXEMES = 20_000


def found_by(text: str) -> ColumnElement[bool]:
    """An external or trace id as it is, else words of the bodies."""
    words = select(ExecutionBody.execution_id).where(matches(ExecutionBody.search, text))
    ways: list[ColumnElement[bool]] = [Execution.id.in_(words)]
    wanted = text.strip().lower()
    if len(wanted) == 32 and all(letter in "0123456789abcdef" for letter in wanted):
        ways.append(Execution.trace_id == bytes.fromhex(wanted))
    ways.append(Execution.external_id == text.strip())
    return or_(*ways)


def with_more_words(words: str) -> Any:  # an SQL expression for ExecutionBody.search
    """The stored words and these; a run with very many keeps those it has (1 MB is the limit)."""
    known = func.coalesce(ExecutionBody.search, func.to_tsvector("simple", ""))
    joined = known.op("||")(func.to_tsvector("simple", words))
    return case((func.length(known) < MAX_LEXEMES, joined), else_=known)
