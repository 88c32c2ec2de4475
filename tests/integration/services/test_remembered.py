"""What processes remember of keys and configurations is never older than a change of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import Database
from app.core.permissions import Role
from app.core.remembered import Remembered, always
from app.main import create_app
from app.models import Agent, ApiKey, Tool, User
from app.schemas.agents import AgentUpdate
from app.schemas.users import UserUpdate
from app.services.agents import AgentService
from app.services.api_keys import ApiKeyService, known_keys
from app.services.live_events import EventListener
from app.services.tools import ToolService
from app.services.users import UserService
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.integration.services.test_live_events import CUT_OFF

PULL = "/api/v1/agents/by-name/runner/config"


@dataclass(frozen=True, slots=True)
class Home:
    """Two processes, as far as memory goes, over one database."""

    own: FastAPI
    other: FastAPI
    user: User
    key: ApiKey
    agent: Agent
    headers: dict[str, str]

    async def pull(self, app: FastAPI) -> httpx2.Response:
        async with client_of(app, headers=self.headers) as client:
            return await client.get(PULL)


@asynccontextmanager
async def process(database: Database) -> AsyncIterator[FastAPI]:
    url = database.engine.url.render_as_string(hide_password=False)
    own = Database.from_settings(settings_for(url))
    app, listener = create_app(settings_for(url), own), EventListener(own)
    listener.start()
    while not listener.is_connected:  # noqa: ASYNC110  (a flag of another task)
        await asyncio.sleep(0.01)
    yield app
    await listener.stop()
    await own.dispose()


@pytest.fixture
async def home(own_database: Database) -> AsyncIterator[Home]:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.STAFF)
        tool = await make_tool(session, actor_for(user))
        agent = await make_agent(session, actor_for(user), name="runner", tool_ids=[tool.id])
        key, token = await make_api_key(session, user)
    async with process(own_database) as own, process(own_database) as other:
        found = Home(own, other, user, key, agent, {"X-API-Key": token})
        for app in (own, other):
            for _ in range(2):  # the second is answered from memory
                assert (await found.pull(app)).status_code == 200
            assert known_keys(app.state.database).get(found.key.secret_sha256) is not None
        yield found


Change = Callable[[AsyncSession, Home], Awaitable[object]]


async def revoke(session: AsyncSession, home: Home) -> None:
    await ApiKeyService(session, actor_for(home.user)).revoke(home.key.id)


async def disable(session: AsyncSession, home: Home) -> None:
    boss = await make_user(session, Role.SUPERUSER)
    await UserService(session, actor_for(boss)).update(home.user.id, UserUpdate(is_active=False))


async def by_hand(session: AsyncSession, home: Home) -> None:
    await session.execute(
        text("UPDATE api_keys SET revoked_at = now() WHERE id = :id"), {"id": home.key.id}
    )


async def rewrite(session: AsyncSession, home: Home) -> None:
    agents = AgentService(session, actor_for(home.user))
    await agents.update(home.agent.id, AgentUpdate(system_prompt="Be new."))


async def pause(session: AsyncSession, home: Home) -> None:
    agents = AgentService(session, actor_for(home.user))
    await agents.update(home.agent.id, AgentUpdate(is_active=False))


async def pause_key(session: AsyncSession, home: Home) -> None:
    await ApiKeyService(session, actor_for(home.user)).pause(home.key.id)


async def pause_tool(session: AsyncSession, home: Home) -> None:
    tool_id = await session.scalar(select(Tool.id))
    await ToolService(session, actor_for(home.user)).pause(tool_id or 0)


def says_paused(answer: httpx2.Response) -> bool:
    return answer.status_code == 403 and answer.json()["error"]["code"] == "KEY_PAUSED"


def goes_without(answer: httpx2.Response) -> bool:
    return bool(answer.json()["paused_tools"])


def is_refused(answer: httpx2.Response) -> bool:
    return answer.status_code == 401


def is_new(answer: httpx2.Response) -> bool:
    body = answer.json()
    return bool(body["system_prompt"] == "Be new." or body["action"] == "stop")


CHANGES: dict[str, tuple[Change, Callable[[httpx2.Response], bool]]] = {
    "revoked": (revoke, is_refused),
    "disabled": (disable, is_refused),
    "rewritten": (rewrite, is_new),
    "paused": (pause, is_new),
    "key paused": (pause_key, says_paused),
    "tool paused": (pause_tool, goes_without),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_process_that_changes_something_knows_it_at_once(home: Home, change: str) -> None:
    make, holds = CHANGES[change]
    async with home.own.state.database.unit_of_work() as session:
        await make(session, home)
    assert holds(await home.pull(home.own))


@pytest.mark.parametrize("change", [*CHANGES, "by hand"])
async def test_every_other_process_is_told(home: Home, change: str) -> None:
    make, holds = CHANGES.get(change, (by_hand, is_refused))
    async with home.own.state.database.unit_of_work() as session:
        await make(session, home)
    for _ in range(100):  # far less than things are remembered for, on any machine
        if holds(await home.pull(home.other)):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the other process goes on as before")


async def test_nothing_is_remembered_while_changes_are_not_heard(
    home: Home, own_database: Database
) -> None:
    memory = known_keys(home.other.state.database)
    async with own_database.unit_of_work() as session:
        await session.execute(CUT_OFF)
    for _ in range(200):
        if memory.get(home.key.secret_sha256) is None:
            break
        await asyncio.sleep(0.005)
    assert memory.get(home.key.secret_sha256) is None


async def test_what_changes_while_it_is_read_is_not_remembered() -> None:
    memory: Remembered[str, int] = Remembered({"agents"}, is_heard=True, size=2)

    async def read() -> int:
        memory.changed(["agents"])
        return 1

    assert await memory.read("a", read, always) == 1
    assert memory.get("a") is None


async def test_memory_is_bounded_and_ends_with_its_values() -> None:
    memory: Remembered[str, int] = Remembered({"agents"}, is_heard=True, size=2)

    async def read() -> int:
        return 1

    for key in ("a", "b", "c"):
        await memory.read(key, read, always)
    assert [memory.get(key) for key in ("a", "b", "c")] == [None, 1, 1]
    await memory.read("over", read, lambda _: 0)
    assert memory.get("over") is None
