"""How a person wants a list to open: with which columns, and by which view."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import Invalid
from app.models import ListName, ListPreference
from app.schemas.lists import LISTS
from app.services.audit_events import AuditEventService, pending_changes
from app.services.saved_views import SavedViewService


class ListPreferenceService:
    resource = "list_preferences"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    async def find(self, resource: ListName) -> ListPreference | None:
        statement = select(ListPreference).where(
            ListPreference.user_id == self.actor.user_id, ListPreference.resource == resource
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def keep_columns(self, resource: ListName, columns: list[str]) -> None:
        """None: the usual ones. Raise ``Invalid`` for a column that the list has not."""
        if set(columns) - set(LISTS[resource].columns):
            raise Invalid(lazy("This list has no such column."), field="columns")
        await self._update(resource, columns=columns)

    async def open_by(self, resource: ListName, view_id: int | None) -> None:
        """``None``: the whole list. Raise ``NotFound`` for a view that is not theirs to see."""
        if view_id is not None:
            view = await SavedViewService(self.session, self.actor).get(view_id)
            if view.resource is not resource:
                raise Invalid(lazy("This is a view of another list."), field="default_view_id")
        await self._update(resource, default_view_id=view_id)

    async def _update(self, resource: ListName, **values: Any) -> None:  # columns of the row
        self.actor.require(Permission.VIEWS_WRITE)
        key = {"user_id": self.actor.user_id, "resource": resource}
        await self.session.execute(insert(ListPreference).values(**key).on_conflict_do_nothing())
        locked = select(ListPreference).filter_by(**key).with_for_update()
        fresh = locked.execution_options(populate_existing=True)
        row = (await self.session.scalars(fresh)).one()
        for name, value in values.items():
            setattr(row, name, value)
        changes = pending_changes(row)
        if changes:
            await self.session.flush()  # the change and its event are stored together
            self.audit.record("update", self.resource, row, changes)
