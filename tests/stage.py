"""An app over a database of its own that commits, with a model provider and a tool server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Role
from app.core.templating import Templates
from app.jobs import HANDLED
from app.jobs.context import Resources
from app.jobs.worker import Worker
from app.models import Agent, Tool, User
from tests.conftest import actor_for, client_of, furnished, settings_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.provider import Provider

KEY = "sk-canary-provider-key"
Json = dict[str, Any]
ENDED_WITHIN_S = 20


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def run_settings(provider: Provider, own_database: Database) -> Settings:
    provider.will()
    return settings_for(
        own_database.engine.url.render_as_string(hide_password=False),
        openai_base_url=provider.base_url,
        openai_api_key=SecretStr(KEY),
        provider_name="openai",
        provider_timeout_s=5,
        provider_retries=1,
        outbound_allowed_networks=[ip_network("127.0.0.0/8")],
    )


@dataclass
class Stage:
    """Where runs are tried: an app, a member who owns an agent, and their client."""

    app: FastAPI
    settings: Settings
    database: Database
    api: httpx2.AsyncClient
    user: User
    actor: Actor
    agent: Agent
    tools: list[Tool] = field(default_factory=list)

    async def new_agent(self, *tools: Json, **values: Any) -> Agent:
        async with self.database.unit_of_work() as session:
            made = [await make_tool(session, self.actor, **tool) for tool in tools]
            self.tools = made
            ids = [tool.id for tool in made]
            self.agent = await make_agent(session, self.actor, tool_ids=ids, **values)
        return self.agent

    async def ask(self, **data: Any) -> httpx2.Response:
        """Have the stage's agent run in the background."""
        body = {"input": "Where is my bag?"} | data
        body = {name: value for name, value in body.items() if value is not None}
        return await self.api.post(f"/api/v1/agents/{self.agent.id}/run", json=body)

    async def stream(self, path: str = "", **data: Any) -> list[tuple[str, Json]]:
        """The events of a run that is watched, or goes on (``path``) watched."""
        body = ({} if path else {"input": "Where is my bag?"}) | data
        headers = {"Accept": "text/event-stream"}
        path = path or f"/api/v1/agents/{self.agent.id}/run"
        response = await self.api.post(path, json=body, headers=headers, timeout=30)
        assert response.status_code == 200, response.text
        return events_in(response.text)

    async def read(self, execution_id: int) -> Json:
        response = await self.api.get(f"/api/v1/executions/{execution_id}")
        found: Json = response.json()
        return found

    async def spans(self, execution_id: int) -> list[Json]:
        response = await self.api.get(f"/api/v1/executions/{execution_id}/trace")
        found: list[Json] = response.json()["spans"]
        return found

    async def until(self, execution_id: int, *statuses: str) -> Json:
        """The run once it stands as wanted; by default once it has ended."""
        wanted = statuses or ("succeeded", "failed", "cancelled", "stalled")
        for _ in range(ENDED_WITHIN_S * 20):
            run = await self.read(execution_id)
            if run["status"] in wanted:
                return run
            await asyncio.sleep(0.05)
        raise AssertionError(f"It is {run['status']} still.")

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """A worker in this process, as one of its own would be."""
        resources = Resources(self.database, self.settings, Templates())
        worker = Worker(resources, HANDLED, ())
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            await worker.stop()
            await asyncio.wait([task])
            await resources.close()


def events_in(text: str) -> list[tuple[str, Json]]:
    """Server-sent events by name and data."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@pytest.fixture
async def stage(
    built_app: FastAPI, run_settings: Settings, own_database: Database
) -> AsyncIterator[Stage]:
    app = furnished(built_app, run_settings, own_database)
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.MEMBER)
        headers = await key_headers(session, user)
        agent = await make_agent(session, actor_for(user), name="airline")
    async with client_of(app, headers=headers) as api:
        yield Stage(app, run_settings, own_database, api, user, actor_for(user), agent)
    await app.state.live_runs.stop()
    await app.state.live_runs.running.provider.aclose()
