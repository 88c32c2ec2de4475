"""Scores and notes on runs: only ever added, never changed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.exceptions import Invalid
from app.models import Execution, Feedback, Span, User
from app.schemas.feedback import FeedbackCreate
from app.services.audit_events import AuditEventService

MAX_LISTED = 200


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

    async def add(self, execution: Execution, given: Sequence[FeedbackCreate]) -> list[Feedback]:
        """Part of another change, which is on record itself."""
        for data in given:
            await self._check_span(execution, data.span_id)
        rows = [
            Feedback(
                execution_id=execution.id,
                created_by=self.actor.user_id,
                span_id=bytes.fromhex(data.span_id) if data.span_id else None,
                **data.model_dump(exclude={"span_id"}),
            )
            for data in given
        ]
        self.session.add_all(rows)
        return rows

    async def _check_span(self, execution: Execution, span_id: str | None) -> None:
        if span_id is None:
            return
        step = Span.span_id == bytes.fromhex(span_id)
        of_run = Span.trace_id == execution.trace_id
        if await self.session.scalar(select(Span.execution_id).where(of_run, step)) is None:
            raise Invalid("This run has no such step.", field="span_id")

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
