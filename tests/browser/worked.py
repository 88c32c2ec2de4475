"""A server whose background work is done: a worker beside it that may reach this machine."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from app.core.database import Database
from app.core.migrations import migrate
from app.core.permissions import Role
from app.models import Agent
from tests.cluster import Workers, serving
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import execution_data
from tests.factories.tools import make_tool
from tests.factories.users import make_user

BOSS = "boss@example.com"
# Backtracks for longer than anyone waits.
ENDLESS = {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$"}}}
ENDLESS_STEP = {
    "name": "look-up",
    "kind": "tool",
    "tool_name": "look-up",
    "input": {"text": "a" * 60 + "!"},
}

# Addresses of this machine may be called, and are taken where they are entered.
REACHABLE = {"OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}


@dataclass(frozen=True, slots=True)
class Seed:
    """``endless`` is an agent whose analysis ends only when someone ends it."""

    api_key: str
    agent: Agent
    endless: Agent


@dataclass(frozen=True, slots=True)
class WorkedSite:
    """An installation with a worker of its own, or several."""

    url: str
    seed: Seed
    worker: Workers

    def api(self) -> httpx2.Client:
        headers = {"X-API-Key": self.seed.api_key}
        return httpx2.Client(base_url=f"{self.url}/api/v1", headers=headers, trust_env=False)

    def report(self, agent: Agent, count: int, **values: Any) -> None:
        runs = [execution_data(agent, **values) for _ in range(count)]
        with self.api() as api:
            answer = api.post("/executions/batch", json={"items": runs}, timeout=30).json()
            assert answer["created"] == count, answer

    @contextmanager
    def held(self) -> Iterator[None]:
        """The worker stands still inside the block: what is asked for waits."""
        self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)


async def seed(url: str) -> Seed:
    database = Database.from_settings(settings_for(url))
    await migrate(database.engine)
    async with database.unit_of_work() as session:
        boss = await make_user(session, Role.SUPERUSER, email=BOSS)
        actor = actor_for(boss)
        _, key = await make_api_key(session, boss)
        tool = await make_tool(session, actor, name="look-up", parameters=ENDLESS)
        agent = await make_agent(session, actor, name="airline-support")
        endless = await make_agent(session, actor, name="endless-talk", tool_ids=[tool.id])
    await database.dispose()
    return Seed(key, agent, endless)


@contextmanager
def working_site(url: str, seed: Seed, folder: Path) -> Iterator[WorkedSite]:
    with serving(url, folder, **REACHABLE) as address:
        workers = Workers(url, folder, **REACHABLE)
        try:
            yield WorkedSite(address, seed, workers)
        finally:
            workers.stop()
