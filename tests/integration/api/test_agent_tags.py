"""Tags of agents: to group and find them by, and nothing that a runtime is told."""

import httpx2
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent

API = "/api/v1/agents"


async def test_agents_are_found_by_a_tag(
    api: httpx2.AsyncClient, web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="plain")
    tagged = {"name": "tagged", "model": "m", "tags": ["vip", " beta ", "vip"]}
    assert (await api.post(API, json=tagged)).json()["tags"] == ["beta", "vip"]
    found = (await api.get(API, params={"tag": "beta"})).json()["items"]
    assert [agent["name"] for agent in found] == ["tagged"]
    page = (await web.get("/agents?tag=beta")).text
    assert ">tagged</a>" in page
    assert ">plain</a>" not in page


async def test_tag_makes_no_revision_and_leaves_a_draft_one(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    agent.is_draft = True
    await session.flush()  # as reported runs make one
    answer = (await api.patch(f"{API}/{agent.id}", json={"tags": ["new"]})).json()
    assert (answer["tags"], answer["is_draft"]) == (["new"], True)
    assert answer["live_revision"]["number"] == 1


async def test_tags_are_typed_with_commas(
    web: httpx2.AsyncClient, api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, tags=["old"])
    form = {"name": agent.name, "model_name": "m", "max_tokens": "1000", "config": "{}"}
    form |= {"row_version": "1", "tags": "two words, b,, b"}
    assert 'value="old"' in (await web.get(f"/agents/{agent.id}/edit")).text
    assert (await web.post(f"/agents/{agent.id}/edit", data=form)).status_code == 303
    assert (await api.get(f"{API}/{agent.id}")).json()["tags"] == ["b", "two words"]
