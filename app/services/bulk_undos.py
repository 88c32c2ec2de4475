"""What an earlier bulk change did, read from its audit events, and what was changed since."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.models import AuditEvent
from app.models.bulk_changes import BulkChange
from app.services.audit_events import AuditEventService, Changes, as_json
from app.services.bulk_actions import LIVE_REVISION, Row

NO_VALUES = frozenset({"row_version"})


def request_of(job_id: int | None) -> str:
    """The request id that a job's audit events carry: the bulk change's own mark on them."""
    return f"job-{job_id}"


class UndoReader:
    """Of one bulk change that has ended."""

    def __init__(self, session: AsyncSession, actor: Actor, undone: BulkChange) -> None:
        self.session = session
        self.undone = undone
        self.audit = AuditEventService(session, actor)

    async def changes_of(self, ids: Collection[int]) -> dict[int, Changes]:
        """What is to be put back: ``{field: [value now, value before]}`` by row."""
        statement = (
            select(AuditEvent.resource_id, AuditEvent.changes)
            .where(
                AuditEvent.resource == self.undone.resource.value,
                AuditEvent.resource_id.in_(ids),
                # Requests may bring an id of their own, and so the job's: what they did is not its.
                AuditEvent.via == Via.JOB,
                AuditEvent.request_id == request_of(self.undone.job_id),
            )
            .order_by(AuditEvent.id)
        )
        found: dict[int, Changes] = {}
        for row_id, changes in await self.session.execute(statement):
            merged = found.setdefault(row_id or 0, {})
            for field, (old, new) in changes.items():
                if field not in NO_VALUES:
                    merged[field] = [new, merged[field][1] if field in merged else old]
        return found

    async def changed_since(
        self, rows: Iterable[Row], wanted: Mapping[int, Changes]
    ) -> dict[int, str]:
        """Rows that no longer hold what the bulk change gave them, and who changed them."""
        moved = {row.id: fields for row in rows if (fields := moved_in(row, wanted.get(row.id)))}
        if not moved:
            return {}
        events = await self._newest(list(moved))
        names = await self.audit.actor_names(list(events.values()))
        return {
            row_id: f"Changed since by {who(events.get(row_id), names)}: {', '.join(fields)}."
            for row_id, fields in moved.items()
        }

    async def _newest(self, ids: Sequence[int]) -> dict[int, AuditEvent]:
        statement = (
            select(AuditEvent)
            .ext(distinct_on(AuditEvent.resource_id))
            .where(
                AuditEvent.resource == self.undone.resource.value,
                AuditEvent.resource_id.in_(ids),
                AuditEvent.changes.has_key("row_version"),
            )
            .order_by(AuditEvent.resource_id, AuditEvent.id.desc())
        )
        return {event.resource_id or 0: event for event in await self.session.scalars(statement)}


def moved_in(row: Row, wanted: Changes | None) -> list[str]:
    """Fields that hold something else by now; which revision is live follows from them."""
    return [
        field.removeprefix("is_").removesuffix("_at").replace("_", " ")
        for field, (now, _) in (wanted or {}).items()
        if field != LIVE_REVISION and as_json(getattr(row, field)) != now
    ]


def who(event: AuditEvent | None, names: Mapping[str, str]) -> str:
    if event is None:
        return "somebody"
    key, user = f"key:{event.actor_api_key_id}", f"user:{event.actor_user_id}"
    return names.get(key) or names.get(user) or "Greenroom"
