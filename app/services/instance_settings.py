"""What superusers set for everyone."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.core.texts import lazy
from app.exceptions import StaleVersion
from app.models import InstanceSettings
from app.services.audit_events import AuditEventService, pending_changes


class InstanceSettingsService:
    resource = "instance_settings"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    async def current(self) -> InstanceSettings:
        return (await self.session.scalars(select(InstanceSettings))).one()

    async def update(self, version: int, **values: Any) -> InstanceSettings:  # its columns
        """Raise ``StaleVersion`` when someone saved in between."""
        self.actor.require(Permission.SETTINGS_MANAGE)
        statement = select(InstanceSettings).with_for_update()
        row = (
            await self.session.scalars(statement.execution_options(populate_existing=True))
        ).one()
        if row.row_version != version:
            raise StaleVersion(
                lazy("Someone changed the settings in between. Load the page again.")
            )
        for name, value in values.items():
            setattr(row, name, value)
        changes = pending_changes(row)
        if changes:
            await self.session.flush()
            self.audit.record("update", self.resource, row, changes)
        return row
