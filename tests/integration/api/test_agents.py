"""Agents over JSON: create, read, change, trash, restore."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.integration.envelope import assert_envelope

AGENTS = "/api/v1/agents"


async def test_created_agent_is_found_at_its_location(api: httpx2.AsyncClient) -> None:
    created = await api.post(AGENTS, json={"name": "Support-Bot", "model": "gpt-4o"})
    assert created.status_code == 201
    assert created.headers["etag"] == '"1.1"'
    found = await api.get(created.headers["location"])
    assert found.json() == created.json()
    assert found.headers["etag"] == '"1.1"'
    assert found.json()["name"] == "support-bot"
    assert found.json()["max_tokens"] == 1000
    assert found.json()["live_revision"]["number"] == 1


async def test_model_is_accepted_under_both_names(api: httpx2.AsyncClient) -> None:
    created = await api.post(AGENTS, json={"name": "one", "model_name": "gpt-4o"})
    assert created.json()["model"] == "gpt-4o"
    assert "model_name" not in created.json()


async def test_internal_notes_never_leave_by_the_api(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, internal_notes="pssst")
    answers = [
        await api.get(f"{AGENTS}/{agent.id}"),
        await api.get(AGENTS),
        await api.get(f"{AGENTS}/{agent.id}/summary"),
        await api.get(f"{AGENTS}/{agent.id}/revisions"),
        await api.get(f"{AGENTS}/by-name/{agent.name}/config"),
        await api.patch(f"{AGENTS}/{agent.id}", json={"description": "new"}),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "internal_notes" not in answer.text
        assert "pssst" not in answer.text


@pytest.mark.parametrize("method", ["post", "patch"])
async def test_api_refuses_to_set_internal_notes(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, method: str
) -> None:
    agent = await make_agent(session, actor)
    url = AGENTS if method == "post" else f"{AGENTS}/{agent.id}"
    data = {"name": "notes", "model": "gpt-4o", "internal_notes": "x"}
    assert_envelope(await api.request(method, url, json=data), 422, "VALIDATION_ERROR")


async def test_patch_changes_only_what_is_sent(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, description="old", config={"a": 1})
    before = (await api.get(f"{AGENTS}/{agent.id}")).json()
    after = (await api.patch(f"{AGENTS}/{agent.id}", json={"description": "new"})).json()
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"description", "row_version", "updated_at"}


async def test_saving_the_same_again_changes_nothing(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    before = (await api.get(f"{AGENTS}/{agent.id}")).json()
    same = {"name": agent.name, "system_prompt": agent.system_prompt, "tool_ids": []}
    assert (await api.patch(f"{AGENTS}/{agent.id}", json=same)).json() == before


@pytest.mark.parametrize("tag", ['"1.1"', '"1"', "1", 'W/"1"', "*"])
async def test_change_with_the_current_etag_is_made(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, tag: str
) -> None:
    agent = await make_agent(session, actor)
    response = await api.patch(
        f"{AGENTS}/{agent.id}", json={"description": "x"}, headers={"If-Match": tag}
    )
    assert response.status_code == 200
    assert response.headers["etag"] == '"2.1"'


@pytest.mark.parametrize("method", ["patch", "delete"])
async def test_change_with_a_stale_etag_is_refused(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, method: str
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/{agent.id}"
    await api.patch(url, json={"description": "first"})
    body = {"json": {"description": "second"}} if method == "patch" else {}
    late = await api.request(method, url, headers={"If-Match": '"1"'}, **body)  # type: ignore[arg-type]  # json only
    assert_envelope(late, 412, "PRECONDITION_FAILED")
    assert (await api.get(url)).json()["description"] == "first"


@pytest.mark.parametrize("tag", ["abc", '"one"', "-1", "1e3", "9" * 30, "", '"1.x"'])
async def test_what_is_no_etag_of_ours_never_matches(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, tag: str
) -> None:
    agent = await make_agent(session, actor, description="kept")
    url = f"{AGENTS}/{agent.id}"
    response = await api.patch(url, json={"description": "x"}, headers={"If-Match": tag})
    assert_envelope(response, 422, "VALIDATION_ERROR")
    assert (await api.get(url)).json()["description"] == "kept"


async def test_trashed_agent_is_gone_until_it_is_restored(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/{agent.id}"
    deleted = await api.delete(url)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert_envelope(await api.get(url), 404, "RESOURCE_NOT_FOUND")
    assert_envelope(await api.delete(url), 404, "RESOURCE_NOT_FOUND")
    assert (await api.get(AGENTS)).json()["items"] == []
    assert (await api.post(f"{url}/restore")).status_code == 200
    assert (await api.get(url)).status_code == 200
    assert_envelope(await api.post(f"{url}/restore"), 404, "RESOURCE_NOT_FOUND")


async def test_name_is_free_again_once_its_agent_is_in_the_trash(api: httpx2.AsyncClient) -> None:
    data = {"name": "bot", "model": "gpt-4o"}
    first = await api.post(AGENTS, json=data)
    taken = assert_envelope(await api.post(AGENTS, json=data | {"name": "BOT"}), 409, "CONFLICT")
    assert taken == "You already have an agent called bot."
    await api.delete(first.headers["location"])
    assert (await api.post(AGENTS, json=data)).status_code == 201
    restored = await api.post(f"{first.headers['location']}/restore")
    assert_envelope(restored, 409, "CONFLICT")


async def test_rename_to_a_taken_name_is_refused(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await make_agent(session, actor, name="taken")
    agent = await make_agent(session, actor)
    response = await api.patch(f"{AGENTS}/{agent.id}", json={"name": "taken"})
    assert_envelope(response, 409, "CONFLICT")
    assert response.json()["error"]["details"][0]["field"] == "name"


async def test_tools_are_given_and_taken_any_number_of_times(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent, tool = await make_agent(session, actor), await make_tool(session, actor)
    url = f"{AGENTS}/{agent.id}/tools/{tool.id}"
    for _ in range(2):
        given = (await api.put(url)).json()
        assert [t["id"] for t in given["tools"]] == [tool.id]
        assert given["live_revision"]["number"] == 2
    for _ in range(2):
        taken = (await api.delete(url)).json()
        assert taken["tools"] == []
        assert taken["row_version"] == 3


async def test_unknown_tools_are_named(api: httpx2.AsyncClient) -> None:
    data = {"name": "bot", "model": "gpt-4o", "tool_ids": [987_654]}
    message = assert_envelope(await api.post(AGENTS, json=data), 422, "VALIDATION_ERROR")
    assert "987654" in message
    assert (await api.get(AGENTS)).json()["total"] == 0
