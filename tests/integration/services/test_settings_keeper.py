"""Another process takes a change up when the database says it, without being asked."""

import asyncio
from collections.abc import Mapping

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import ROLE_PERMISSIONS, Role
from app.core.runtime_settings import LiveSettings
from app.services.instance_settings import InstanceSettingsService
from app.services.live_events import EventListener
from app.services.settings_keeper import SettingsKeeper
from tests.conftest import settings_for

BOSS = Actor(
    user_id=None, role=Role.SUPERUSER, permissions=ROLE_PERMISSIONS[Role.SUPERUSER], via=Via.PAGE
)


class Watched(LiveSettings):
    """Tells when a change was taken up."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.heard = asyncio.Event()

    def take_up(self, version: int, overrides: Mapping[str, object]) -> None:
        super().take_up(version, overrides)
        if overrides:
            self.heard.set()


async def change(database: Database, live: LiveSettings, version: int, minutes: int) -> None:
    async with database.unit_of_work() as session:
        service = InstanceSettingsService(session, BOSS)
        await service.change(live, version, {"session_idle_minutes": minutes}, ())


async def test_other_process_hears_of_a_change_and_starts_with_it(own_database: Database) -> None:
    url = own_database.engine.url.render_as_string(hide_password=False)
    here, there = LiveSettings(settings_for(url)), Watched(settings_for(url))
    other = Database.from_settings(there.settings)
    listener, keeper = EventListener(other), SettingsKeeper(other, there)
    listener.start()
    await keeper.begin()
    try:
        await change(own_database, here, 1, 30)
        assert here.settings.session_idle_minutes == 30
        await asyncio.wait_for(there.heard.wait(), 5)
        assert there.settings.session_idle_minutes == 30
    finally:
        await keeper.stop()
        await listener.stop()
    late = LiveSettings(settings_for(url))
    await SettingsKeeper(other, late).read()
    assert late.settings.session_idle_minutes == 30
    await other.dispose()


def test_older_news_and_values_of_other_versions_change_nothing() -> None:
    live = LiveSettings(settings_for("postgresql+asyncpg://"))
    live.take_up(3, {"session_idle_minutes": 30, "of_a_later_version": 1, "invitation_days": "x"})
    live.take_up(2, {"session_idle_minutes": 45})
    assert (live.settings.session_idle_minutes, live.settings.invitation_days) == (30, 7)
    live.take_up(4, {"session_idle_minutes": 100_000})
    assert live.settings.session_idle_minutes == live.default("session_idle_minutes") == 60
