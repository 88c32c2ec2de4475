"""Scores and notes on runs; who gave one may change it or take it back."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Forbidden, Invalid, NotFound, StaleVersion
from app.models import Execution, Feedback, Span, User
from app.models.feedback import FeedbackSource
from app.schemas.feedback import FeedbackCreate
from app.services.audit_events import AuditEventService
from app.services.ingestion.facts import Evaluation

MAX_LISTED = 200
MAX_NAME, MAX_VALUE = 100, 10**9
Reported = tuple[int, bytes, Evaluation]  # the run's id, the span's id, what it says


def row_of(execution_id: int, span_id: bytes, said: Evaluation) -> dict[str, Any] | None:
    """Of what a span says of itself or its run; ``None`` where that is nothing."""
    is_score = said.score is not None and abs(said.score) <= MAX_VALUE
    value = Decimal(repr(said.score)).normalize() if is_score else None
    if value is None and said.label is None and said.explanation is None:
        return None
    row: dict[str, Any] = {
        "span_id": None if said.of_run else span_id,
        "name": said.name[:MAX_NAME],
        "value": value,
        "label": said.label,
        "comment": said.explanation,
    }
    digest = hashlib.sha256(repr(list(row.values())).encode()).digest()
    return row | {
        "execution_id": execution_id,
        "source": FeedbackSource.OTLP,
        "sha256": digest,
    }


def told(value: Decimal | str | None) -> str | None:
    """As JSON has it."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class FeedbackService:
    """Whoever may report runs may say how they went."""

    resource = "feedback"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def give(self, execution: Execution, data: FeedbackCreate) -> Feedback:
        """Add one to a stored run. Raise ``Invalid`` when it has no such step."""
        self.actor.require(Permission.EXECUTIONS_WRITE)
        (row,) = await self.add(execution, [data])
        await self.session.flush()  # the answer has its id, and the event too
        said = {k: v for k, v in data.model_dump(mode="json").items() if v is not None}
        changes = {field: [None, value] for field, value in said.items()}
        audit = AuditEventService(self.session, self.actor)
        audit.record("feedback", "executions", execution, changes)
        return row

    async def own(self, execution: Execution, feedback_id: int) -> Feedback:
        """One that this person gave on the run. Raise ``NotFound``, or ``Forbidden`` for others'"""
        self.actor.require(Permission.EXECUTIONS_WRITE)
        row = await self.session.get(
            Feedback, feedback_id, with_for_update=True, populate_existing=True
        )
        if row is None or row.execution_id != execution.id:
            raise NotFound(lazy("This run has no such feedback."))
        if not self.is_own(row):
            raise Forbidden(lazy("Only who gave feedback may change it."))
        return row

    def is_own(self, row: Feedback) -> bool:
        """Whether this person gave it by hand; what came with spans is the sender's."""
        by_hand = row.source is not FeedbackSource.OTLP
        return by_hand and row.created_by is not None and row.created_by == self.actor.user_id

    async def change(
        self, execution: Execution, feedback_id: int, data: FeedbackCreate, seen: str
    ) -> None:
        """Raise as ``own``, and ``StaleVersion`` where it is not what was ``seen`` of it.

        What it is about stays.
        """
        row = await self.own(execution, feedback_id)
        if row.fingerprint != seen:
            raise StaleVersion(lazy("This feedback was saved in between. Load the page again."))
        said = {name: getattr(data, name) for name in ("name", "value", "label", "comment")}
        changes = {
            name: [told(getattr(row, name)), told(value)]
            for name, value in said.items()
            if getattr(row, name) != value
        }
        for name, value in said.items():
            setattr(row, name, value)
        if changes:
            audit = AuditEventService(self.session, self.actor)
            audit.record("feedback_change", "executions", execution, changes)

    async def remove(self, execution: Execution, feedback_id: int) -> None:
        """Raise as ``own``."""
        row = await self.own(execution, feedback_id)
        fields = ("name", "value", "label", "comment")
        known = {name: value for name in fields if (value := getattr(row, name)) is not None}
        changes = {name: [told(value), None] for name, value in known.items()}
        await self.session.delete(row)
        await self.session.flush()  # what is listed next is without it
        audit = AuditEventService(self.session, self.actor)
        audit.record("feedback_remove", "executions", execution, changes)

    async def add(self, execution: Execution, given: Sequence[FeedbackCreate]) -> list[Feedback]:
        """Part of another change, which is on record itself."""
        for data in given:
            await self._check_span(execution, data.span_id)
        rows = [
            Feedback(
                execution_id=execution.id,
                created_by=self.actor.user_id,
                source=FeedbackSource.PERSON if self.actor.via is Via.PAGE else FeedbackSource.API,
                span_id=bytes.fromhex(data.span_id) if data.span_id else None,
                **data.model_dump(exclude={"span_id"}),
            )
            for data in given
        ]
        self.session.add_all(rows)
        return rows

    async def add_reported(self, said: Sequence[Reported]) -> None:
        """What came with spans, which is on record with them. What is there already is not added"""
        found = [row for each in said if (row := row_of(*each)) is not None]
        # In one order for every process.
        found.sort(key=lambda row: (row["execution_id"], row["sha256"]))
        if found:
            there = insert(Feedback).on_conflict_do_nothing(
                index_elements=["execution_id", "sha256"],
                index_where=Feedback.sha256.is_not(None),
            )
            await self.session.execute(there, found)

    async def _check_span(self, execution: Execution, span_id: str | None) -> None:
        if span_id is None:
            return
        step = Span.span_id == bytes.fromhex(span_id)
        of_run = Span.trace_id == execution.stored_trace_id
        if await self.session.scalar(select(Span.execution_id).where(of_run, step)) is None:
            raise Invalid(lazy("This run has no such step."), field="span_id")

    async def of(self, execution: Execution) -> list[Feedback]:
        """Oldest first, no more than ``MAX_LISTED``."""
        statement = select(Feedback).where(Feedback.execution_id == execution.id)
        rows = await self.session.scalars(statement.order_by(Feedback.id).limit(MAX_LISTED))
        return list(rows)

    async def givers(self, rows: Sequence[Feedback]) -> dict[int, str]:
        """Names of the people behind them, by id: one query."""
        people = {row.created_by for row in rows} - {None}
        found = await self.session.execute(
            select(User.id, User.full_name).where(User.id.in_(people))
        )
        return {row[0]: row[1] for row in found}
