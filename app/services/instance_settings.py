"""What superusers set for everyone."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.database import after_commit
from app.core.permissions import Permission
from app.core.runtime_settings import LiveSettings, Value
from app.core.texts import lazy
from app.exceptions import StaleVersion
from app.models import InstanceSettings
from app.services.audit_events import AuditEventService, Changes, pending_changes


class InstanceSettingsService:
    resource = "instance_settings"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor
        self.audit = AuditEventService(session, actor)

    async def current(self) -> InstanceSettings:
        return (await self.session.scalars(select(InstanceSettings))).one()

    async def _locked(self, version: int) -> InstanceSettings:
        statement = select(InstanceSettings).with_for_update()
        row = (
            await self.session.scalars(statement.execution_options(populate_existing=True))
        ).one()
        if row.row_version != version:
            raise StaleVersion(
                lazy("Someone changed the settings in between. Load the page again.")
            )
        return row

    async def update(self, version: int, **values: Any) -> InstanceSettings:  # its columns
        """Raise ``StaleVersion`` when someone saved in between."""
        self.actor.require(Permission.SETTINGS_MANAGE)
        row = await self._locked(version)
        for name, value in values.items():
            setattr(row, name, value)
        changes = pending_changes(row)
        if changes:
            await self.session.flush()
            self.audit.record("update", self.resource, row, changes)
        return row

    async def change(
        self, live: LiveSettings, version: int, values: Mapping[str, Value], reset: Collection[str]
    ) -> Changes:
        """Override these settings, and let the environment say those to reset again.

        They hold in this process before it answers, and in the others once they hear of it. What
        equals the environment's value is no override: it follows the environment. Raise
        ``StaleVersion``, ``Forbidden``, and ``ValueError`` for a value that is none.
        """
        self.actor.require(Permission.SETTINGS_MANAGE)
        row = await self._locked(version)
        after = {key: value for key, value in row.overrides.items() if key not in reset}
        for key, value in values.items():
            if value == live.default(key):
                after.pop(key, None)
            else:
                after[key] = live.known[key].checked(value)
        return await self._save(live, row, after)

    async def _save(
        self, live: LiveSettings, row: InstanceSettings, after: dict[str, Any]
    ) -> Changes:
        before = row.overrides
        effective = {key: [live.value(key, before), live.value(key, after)] for key in live.known}
        changes: Changes = {key: pair for key, pair in effective.items() if pair[0] != pair[1]}
        if before != after:
            row.overrides = after
            await self.session.flush()  # the version that the process takes up
            version = row.row_version
            after_commit(self.session, lambda: live.take_up(version, after))
        if changes:
            self.audit.record("update", self.resource, row, changes)
        return changes
