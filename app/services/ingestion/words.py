"""The words that a run is found by."""

import re
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, union_all

from app.models import Execution, ExecutionBody
from app.services.search import matches

MAX_LEXEMES = 20_000
TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


def found_by(text: str) -> ColumnElement[bool]:
    """An external or trace id as it is, else words of the bodies; each way has its index."""
    wanted = text.strip()
    ways = [
        select(ExecutionBody.execution_id).where(matches(ExecutionBody.search, text)),
        select(Execution.id).where(Execution.external_id == wanted),
    ]
    if TRACE_ID.fullmatch(wanted):
        trace_id = bytes.fromhex(wanted)
        ways.append(select(Execution.id).where(Execution.stored_trace_id == trace_id))
        ways.append(select(Execution.id).where(Execution.sent_trace_id == trace_id))
    # A union keeps every part on its index, where an OR would read the whole table.
    return Execution.id.in_(union_all(*ways))


def with_more_words(words: str) -> Any:  # an SQL expression for ExecutionBody.search
    """The stored words and these; a run with very many keeps those it has (1 MB is the limit)."""
    known = func.coalesce(ExecutionBody.search, func.to_tsvector("simple", ""))
    joined = known.op("||")(func.to_tsvector("simple", words))
    return case((func.length(known) < MAX_LEXEMES, joined), else_=known)
