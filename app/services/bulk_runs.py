"""The work of a bulk change: some rows in each transaction, each in a savepoint of its own."""

import time

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.texts import lazy
from app.exceptions import AppError, NotFound
from app.models.bulk_changes import BulkAction, BulkChange, BulkChangeRow, BulkOutcome
from app.services.bulk import RowProgress, attempt
from app.services.bulk_actions import Act, Service, act_on, service_of, undo_on

ROWS_AT_ONCE = 50
# Who cancels waits for the rows of one transaction.
SECONDS_AT_ONCE = 0.5


class BulkRunner:
    """Goes through rows that are pending: none twice, because each is marked as it is changed."""

    resource = "bulk_changes"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def progress(self, change_id: int) -> RowProgress:
        change = await self._change(change_id)
        pending = select(func.count()).where(*self._pending(change_id))
        left = await self.session.scalar(pending) or 0
        return RowProgress(change.would_change, change.would_change - left)

    async def go_on(self, change_id: int) -> int:
        """Change the next rows: how many were gone through, 0 at the end."""
        change = await self._change(change_id)
        service = service_of(change.resource, self.session, self.actor)
        service.audit.reason = change.note or f"Bulk change {change.id}"
        rows = list(
            await self.session.scalars(
                select(BulkChangeRow)
                .where(*self._pending(change_id))
                .order_by(BulkChangeRow.row_id)
                .limit(ROWS_AT_ONCE)
            )
        )
        ends, found = time.monotonic() + SECONDS_AT_ONCE, []
        for row in rows:
            found.append(await self._change_one(service, change, row))
            if time.monotonic() > ends:
                break
        for row, refusal in zip(rows, found, strict=False):
            row.outcome = BulkOutcome.CHANGED if refusal is None else BulkOutcome.REFUSED
            row.reason = refusal
        await self.session.flush()  # committed with the changes that they tell of
        return len(found)

    async def _change_one(
        self, service: Service, change: BulkChange, row: BulkChangeRow
    ) -> str | None:
        """Why it was refused, ``None`` where it was changed."""

        async def change_it(row: BulkChangeRow) -> None:
            if change.action is BulkAction.UNDO:
                await undo_on(service, row.row_id, row.row_version, row.changes)
                return
            act = Act.of(change.action, change.value, service.audit.reason)
            await act_on(service, row.row_id, row.row_version, act)

        refusal = await attempt(self.session, row, change_it)
        return refusal.message if isinstance(refusal, AppError) else None

    async def _change(self, change_id: int) -> BulkChange:
        change = await self.session.get(BulkChange, change_id)
        if change is None:
            raise NotFound(lazy("The bulk change is no longer here."))
        return change

    @staticmethod
    def _pending(change_id: int) -> tuple[ColumnElement[bool], ...]:
        is_pending = BulkChangeRow.outcome == BulkOutcome.PENDING
        return (BulkChangeRow.bulk_change_id == change_id, is_pending)
