"""What happens to open sockets while nobody can say whether their credentials are still good."""

import asyncio

import pytest

from app.core.actor import Actor, Via
from app.core.database import Database
from app.core.rooms import Member
from app.services import live_credentials
from app.services.live_credentials import UNSURE, Credential, CredentialWatch, Kind
from tests.conftest import settings_for

NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"


class Wire:
    """A socket that notes why it was closed."""

    closed: tuple[int, str] | None = None

    async def send(self, text: str) -> None:
        """Nothing is sent here."""

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


async def test_sockets_end_when_credentials_cannot_be_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_credentials, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(live_credentials, "TRUSTED_FOR_S", 0.1)
    database = Database.from_settings(settings_for(NOWHERE))
    watch, wire = CredentialWatch(database, settings_for(NOWHERE)), Wire()
    member = Member(wire, "key:1")
    watch.add(member, Credential(Kind.KEY, b"\x00" * 32), Actor.system(Via.API))
    watch.start()
    async with asyncio.timeout(15):
        await member.run()
    await watch.stop()
    await database.dispose()
    assert wire.closed == (UNSURE.code, UNSURE.reason)
