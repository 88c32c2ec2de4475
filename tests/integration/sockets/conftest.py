"""Two server processes over one database, and people who come in by every way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, text

from app.core.config import Settings
from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from app.core.permissions import KEY_SCOPES, Permission, Role
from app.core.security import Signer
from app.models import Agent, AuditEvent, User
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for, copy_database, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.users import make_session_token, make_user
from tests.server import ServerProcess

Headers = dict[str, str]
CUT_OFF = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND query LIKE '%FROM live_events%'"
)


@dataclass(frozen=True, slots=True)
class Site:
    """``one`` and ``two`` are addresses of processes of one installation."""

    one: str
    two: str
    database: Database
    settings: Settings
    log: Path

    async def denied(self, user: User) -> list[str]:
        """What this person was refused, as it is on record."""
        statement = select(AuditEvent.changes).where(
            AuditEvent.actor_user_id == user.id, AuditEvent.action == "denied"
        )
        async with self.database.unit_of_work() as session:
            return [changes["request"][1] for changes in await session.scalars(statement)]

    async def person(self, role: Role = Role.STAFF) -> User:
        async with self.database.unit_of_work() as session:
            return await make_user(session, role)

    async def agent_of(self, user: User) -> Agent:
        async with self.database.unit_of_work() as session:
            return await make_agent(session, actor_for(user))

    async def call(self, method: str, path: str, user: User, json: Any = None) -> Any:
        """What the second process answers this person's key, as JSON."""
        base = f"{self.two}/api/v1"
        headers = await self.key(user)
        async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
            response = await client.request(method, path, json=json)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def create_agent(self, user: User) -> int:
        """By the API of the second process, so that it is announced."""
        data = {"name": f"agent-{token_hex(4)}", "model": "gpt-4o", "system_prompt": "Be kind."}
        return int((await self.call("POST", "/agents", user, data))["id"])

    async def cut_off_listeners(self) -> None:
        """End the connections by which the processes hear of events."""
        async with self.database.unit_of_work() as session:
            await session.execute(CUT_OFF)

    async def cookie(self, user: User, origin: str | None = None) -> Headers:
        """What this person's browser sends from a page of ``origin``, by default our own."""
        async with self.database.unit_of_work() as session:
            token = await make_session_token(session, user)
        signed = Signer(self.settings.signing_keys()).sign(token)
        return {"Cookie": f"greenroom={signed}", "Origin": origin or self.one}

    async def key(
        self,
        user: User,
        scopes: tuple[Permission, ...] = KEY_SCOPES,
        agent: Agent | None = None,
    ) -> Headers:
        async with self.database.unit_of_work() as session:
            _, token = await make_api_key(session, user, scopes, agent)
        return {"X-API-Key": token}

    async def token(self, user: User) -> Headers:
        async with self.database.unit_of_work() as session:
            tokens = RefreshTokenService(session, actor_for(user), self.settings)
            pair = await tokens.open(user, None)
        return {"Authorization": f"Bearer {pair.access_token}"}


@pytest.fixture(scope="package")
async def site(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """Each with few connections: were sockets to hold one, there would soon be none."""
    url = postgres.url(await copy_database(postgres, template))
    settings = settings_for(url)
    database = Database.from_settings(settings)
    folders = [tmp_path_factory.mktemp("sockets") for _ in range(2)]
    with ExitStack() as running:
        servers = [ServerProcess(url, folder, DATABASE_POOL_SIZE="2") for folder in folders]
        for server in servers:
            running.callback(server.stop)
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        yield Site(servers[0].url, servers[1].url, database, settings, servers[0].log)
    await database.dispose()
