"""What a change is answered with, and when nothing is sent again."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import KEY_SCOPES
from app.models import Agent, Tool, User
from tests.conftest import client_of
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import execution_data
from tests.factories.tools import make_tool

API, SECRET = "/api/v1", "Kept-To-Ourselves"
BLIND = tuple(scope for scope in KEY_SCOPES if not scope.value.endswith(":read"))
ACKNOWLEDGED = {"id", "trace_id", "row_version", "action"}
CHANGES = """
PATCH agents/{agent}
POST agents/{agent}/pause
POST agents/{agent}/resume
PUT agents/{agent}/tools/{tool}
DELETE agents/{agent}/tools/{tool}
PATCH tools/{tool}
PUT tools/{tool}/headers
POST tools/{tool}/pause
POST tools/{tool}/resume
"""


@pytest.fixture
async def blind(
    app: FastAPI, session: AsyncSession, staff: User
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key that may do everything but read."""
    async with client_of(app, headers=await key_headers(session, staff, BLIND)) as client:
        yield client


@pytest.fixture
async def tool(session: AsyncSession, actor: Actor) -> Tool:
    endpoint = {"url": "https://shop.example.com"}
    return await make_tool(session, actor, description=SECRET, kind="http", endpoint=endpoint)


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor, system_prompt=SECRET)


async def test_key_that_does_not_read_is_shown_nothing_of_what_it_changes(
    blind: httpx2.AsyncClient, agent: Agent, tool: Tool
) -> None:
    for change in CHANGES.split("\n")[1:-1]:
        method, path = change.format(agent=agent.id, tool=tool.id).split()
        body: dict[str, dict[str, str]] = {"headers": {}} if path.endswith("headers") else {}
        response = await blind.request(method, f"{API}/{path}", json=body)
        assert (response.status_code, response.content) == (204, b""), (change, response.text)
        assert response.headers["etag"], change
    for kind, row in (("agents", agent), ("tools", tool)):
        assert (await blind.delete(f"{API}/{kind}/{row.id}")).status_code == 204
        restored = await blind.post(f"{API}/{kind}/{row.id}/restore")
        assert (restored.status_code, restored.content) == (204, b"")


async def test_key_that_does_not_read_is_told_of_its_report_what_it_needs(
    blind: httpx2.AsyncClient, api: httpx2.AsyncClient, agent: Agent
) -> None:
    data = execution_data(agent, input=SECRET)
    for status in (201, 200):
        answer = await blind.post(f"{API}/executions", json=data)
        assert answer.status_code == status
        assert set(answer.json()) == ACKNOWLEDGED
    run = f"{API}/executions/{answer.json()['id']}"
    changed = await blind.patch(run, json={"tags": ["done"]})
    assert set(changed.json()) == ACKNOWLEDGED
    assert changed.headers["etag"] == f'"{changed.json()["row_version"]}"'
    assert (await blind.delete(run)).status_code == 204
    assert (await blind.post(f"{run}/restore")).status_code == 204
    assert (await api.get(run)).json()["tags"] == ["done"]
    known = await api.post(f"{API}/executions", json=data)
    assert set(known.json()) > ACKNOWLEDGED


@pytest.mark.parametrize("resource", ["agents", "tools", "model-prices"])
async def test_row_that_a_client_has_is_not_sent_again(
    web: httpx2.AsyncClient, agent: Agent, tool: Tool, resource: str
) -> None:
    if resource == "model-prices":
        price = {"model": "gpt-4o*", "input_price": "1", "output_price": "2"}
        url = (await web.post(f"{API}/model-prices", json=price)).headers["location"]
    else:
        url = f"{API}/{resource}/{agent.id if resource == 'agents' else tool.id}"
    first = await web.get(url)
    tag = first.headers["etag"]
    for offered in (tag, f'"0", W/{tag}', "*"):
        again = await web.get(url, headers={"If-None-Match": offered})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    changed = await web.patch(url, json={"description": "Other."})
    assert changed.headers["etag"] != tag
    assert (await web.get(url, headers={"If-None-Match": tag})).status_code == 200


async def test_agent_is_sent_again_when_its_tool_has_another_name(
    api: httpx2.AsyncClient, agent: Agent, tool: Tool
) -> None:
    url = f"{API}/agents/{agent.id}"
    tag = (await api.put(f"{url}/tools/{tool.id}")).headers["etag"]
    assert (await api.get(url, headers={"If-None-Match": tag})).status_code == 304
    await api.patch(f"{API}/tools/{tool.id}", json={"name": "renamed"})
    fresh = await api.get(url, headers={"If-None-Match": tag})
    assert [found["name"] for found in fresh.json()["tools"]] == ["renamed"]
