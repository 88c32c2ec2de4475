"""Two runs to be read beside each other: which they are, and their steps with digests."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Invalid, NotFound
from app.models import Execution, Span, SpanBody
from app.models.executions import ExecutionStatus
from app.schemas.base import MAX_BIGINT
from app.services.alignment import Pair, aligned
from app.services.execution_reads import ExecutionReader
from app.services.spans import SAME_STEP, full_spans
from app.services.traces import in_tree_order

MAX_STEPS, AT_ONCE = 1_000, 100
Digests = tuple[str | None, str | None]
TRACE_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
IN_URL = re.compile(r"(?:.*/executions/)?(\d{1,19})(?:[/?#].*)?", re.DOTALL)
# Words in the place of an id: runs that are to be found beside the other one.
PREVIOUS, SUCCEEDED = "previous", "succeeded"


@dataclass(frozen=True, slots=True)
class ComparedStep:
    """``given`` and ``gave`` are digests of the input and the output; ``None`` for none."""

    span: Span
    depth: int
    given: str | None
    gave: str | None

    @property
    def duration_ms(self) -> float | None:
        """``None`` while it has not ended."""
        return None if self.span.end_ns is None else (self.span.end_ns - self.span.start_ns) / 1e6

    @property
    def key(self) -> tuple[str, str]:
        """Steps of the same kind and name are the same step of the work."""
        return (self.span.kind.value, self.span.name)


class ComparisonService:
    resource = "comparisons"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.runs = ExecutionReader(session, actor)

    async def find(self, reference: str, beside: Execution | None = None) -> Execution:
        """By id, trace id or address of its page, or as ``previous`` or ``succeeded`` before
        ``beside``.

        Raise ``Invalid`` for what is none of these, ``NotFound`` for a run that is not there.
        """
        said = reference.strip()
        if beside is not None and said in (PREVIOUS, SUCCEEDED):
            return await self._before(beside, only_succeeded=said == SUCCEEDED)
        if TRACE_ID.fullmatch(said):
            return await self._of_trace(bytes.fromhex(said))
        found = IN_URL.fullmatch(said)
        if found is None or int(found[1]) > MAX_BIGINT:
            raise Invalid(lazy("Enter the id, the trace id or the address of a run."))
        return await self.runs.get(int(found[1]))

    async def _of_trace(self, trace_id: bytes) -> Execution:
        sent, stored = Execution.sent_trace_id, Execution.stored_trace_id
        statement = self.runs.visible().where((stored == trace_id) | (sent == trace_id))
        newest = statement.options(*self.runs.loads()).order_by(Execution.id.desc()).limit(1)
        found: Execution | None = await self.session.scalar(newest)
        if found is None:
            raise NotFound(lazy("There is no run with this trace id."))
        return found

    async def _before(self, run: Execution, *, only_succeeded: bool) -> Execution:
        key = tuple_(Execution.started_at, Execution.id)
        statement = self.runs.visible().where(
            Execution.agent_id == run.agent_id, key < (run.started_at, run.id)
        )
        if only_succeeded:
            statement = statement.where(Execution.status == ExecutionStatus.SUCCEEDED)
        newest = statement.order_by(Execution.started_at.desc(), Execution.id.desc()).limit(1)
        found: Execution | None = await self.session.scalar(newest.options(*self.runs.loads()))
        if found is None:
            raise NotFound(lazy("This agent has no such run before this one."))
        return found

    async def steps(self, run: Execution) -> list[ComparedStep]:
        """In the order of the tree, the first ``MAX_STEPS``: one query, some bodies at a time."""
        self.actor.require(Permission.EXECUTIONS_READ)
        statement = (
            select(Span, SpanBody)
            .outerjoin(SpanBody, SAME_STEP)
            .where(Span.execution_id == run.id)
            .order_by(Span.start_ns, Span.span_id)
            .limit(MAX_STEPS)
            .execution_options(yield_per=AT_ONCE)
        )
        told: list[tuple[Span, Digests]] = []
        async for rows in (await self.session.stream(statement)).partitions():
            told += await asyncio.to_thread(digested, rows)
        digests = {(span.span_id, span.start_ns): each for span, each in told}
        return [
            ComparedStep(span, depth, *digests[span.span_id, span.start_ns])
            for span, depth in in_tree_order([span for span, _ in told])
        ]


def digested(rows: Sequence[Any]) -> list[tuple[Span, Digests]]:
    """Spans (of rows with their bodies), each with the digests of its input and its output."""
    full = full_spans(rows)
    return [(each.span, (digest_of(each.input), digest_of(each.output))) for each in full]


def digest_of(value: Any) -> str | None:  # any JSON value
    if value is None:
        return None
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def pairs_of(left: Sequence[ComparedStep], right: Sequence[ComparedStep]) -> list[Pair]:
    return aligned([step.key for step in left], [step.key for step in right])
