"""Revisions: made when behaviour changes, pulled by runtimes, restored."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.factories.tools import PARAMETERS, make_tool
from tests.integration.envelope import assert_envelope

AGENTS = "/api/v1/agents"


async def numbers(api: httpx2.AsyncClient, agent_id: int) -> list[int]:
    return [r["number"] for r in (await api.get(f"{AGENTS}/{agent_id}/revisions")).json()]


@pytest.mark.parametrize(
    "change",
    [
        {"system_prompt": "Be brief."},
        {"model": "gpt-4o-mini"},
        {"max_tokens": 2000},
        {"config": {"temperature": 0}},
    ],
)
async def test_change_of_behaviour_makes_one_revision_and_puts_it_live(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, change: dict[str, Any]
) -> None:
    agent = await make_agent(session, actor)
    changed = await api.patch(f"{AGENTS}/{agent.id}", json=change | {"note": "why"})
    assert changed.json()["live_revision"]["number"] == 2
    again = await api.patch(f"{AGENTS}/{agent.id}", json=change)
    assert again.json()["live_revision"]["number"] == 2
    assert await numbers(api, agent.id) == [2, 1]
    newest = (await api.get(f"{AGENTS}/{agent.id}/revisions/2")).json()
    assert newest["note"] == "why"
    assert newest["created_by"] == actor.user_id


@pytest.mark.parametrize(
    "change", [{"description": "new"}, {"name": "renamed"}, {"is_active": False}]
)
async def test_change_that_is_no_behaviour_makes_no_revision(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, change: dict[str, Any]
) -> None:
    agent = await make_agent(session, actor)
    changed = await api.patch(f"{AGENTS}/{agent.id}", json=change)
    assert changed.json()["row_version"] == 2
    assert await numbers(api, agent.id) == [1]


async def test_internal_notes_make_no_revision(session: AsyncSession, actor: Actor) -> None:
    from app.schemas.agents import AgentStaffUpdate
    from app.services.agents import AgentService

    agent = await make_agent(session, actor)
    changed = await AgentService(session, actor).update(
        agent.id, AgentStaffUpdate(internal_notes="only for us")
    )
    assert changed.live_revision is not None
    assert changed.live_revision.number == 1
    assert changed.row_version == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"parameters": {"type": "object"}}, [2, 1]),
        ({"description": "Looks elsewhere."}, [2, 1]),
        ({"name": "renamed-tool"}, [2, 1]),
        ({"is_active": False}, [1]),
        ({"parameters": PARAMETERS}, [1]),
    ],
)
async def test_changed_tool_makes_a_revision_of_each_agent_that_uses_it(
    api: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    change: dict[str, Any],
    expected: list[int],
) -> None:
    tool = await make_tool(session, actor)
    users = [await make_agent(session, actor, tool_ids=[tool.id]) for _ in range(2)]
    other = await make_agent(session, actor)
    assert (await api.patch(f"/api/v1/tools/{tool.id}", json=change)).status_code == 200
    for agent in users:
        assert await numbers(api, agent.id) == expected
    assert await numbers(api, other.id) == [1]


async def test_restored_revision_is_what_the_agent_is(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, system_prompt="First.", config={"a": 1})
    url = f"{AGENTS}/{agent.id}"
    await api.patch(url, json={"system_prompt": "Second.", "config": {}, "model": "other"})
    restored = await api.post(f"{url}/revisions/1/restore")
    body = restored.json()
    assert (body["system_prompt"], body["config"], body["model"]) == ("First.", {"a": 1}, "gpt-4o")
    assert body["live_revision"]["number"] == 1
    assert await numbers(api, agent.id) == [2, 1]
    assert (await api.get(f"{AGENTS}/by-name/{agent.name}/config")).json()["revision"] == 1


async def test_restore_of_a_stale_version_is_refused(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/{agent.id}"
    await api.patch(url, json={"system_prompt": "Second."})
    late = await api.post(f"{url}/revisions/1/restore", headers={"If-Match": '"1"'})
    assert_envelope(late, 412, "PRECONDITION_FAILED")


async def test_restore_with_a_trashed_tool_is_refused_and_names_it(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    url = f"{AGENTS}/{agent.id}"
    await api.patch(url, json={"tool_ids": []})
    assert (await api.delete(f"/api/v1/tools/{tool.id}")).status_code == 204
    response = await api.post(f"{url}/revisions/1/restore")
    assert tool.name in assert_envelope(response, 409, "CONFLICT")
    assert (await api.get(url)).json()["live_revision"]["number"] == 2


async def test_restore_with_a_changed_tool_makes_a_new_revision(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    url = f"{AGENTS}/{agent.id}"
    await api.patch(url, json={"tool_ids": []})
    await api.patch(f"/api/v1/tools/{tool.id}", json={"description": "Otherwise."})
    restored = await api.post(f"{url}/revisions/1/restore")
    assert restored.json()["live_revision"]["number"] == 3
    assert [t["id"] for t in restored.json()["tools"]] == [tool.id]


async def test_tool_in_use_cannot_be_trashed(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    await make_agent(session, actor, tool_ids=[tool.id])
    assert_envelope(await api.delete(f"/api/v1/tools/{tool.id}"), 409, "CONFLICT")


async def test_agent_whose_tool_is_in_the_trash_is_not_restored(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    await api.delete(f"{AGENTS}/{agent.id}")
    await api.delete(f"/api/v1/tools/{tool.id}")
    response = await api.post(f"{AGENTS}/{agent.id}/restore")
    assert tool.name in assert_envelope(response, 409, "CONFLICT")
    await api.post(f"/api/v1/tools/{tool.id}/restore")
    assert (await api.post(f"{AGENTS}/{agent.id}/restore")).status_code == 200


async def test_unknown_revision_is_missing(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    url = f"{AGENTS}/{(await make_agent(session, actor)).id}/revisions"
    assert_envelope(await api.get(f"{url}/99"), 404, "RESOURCE_NOT_FOUND")
    assert_envelope(await api.post(f"{url}/99/restore"), 404, "RESOURCE_NOT_FOUND")


async def test_revisions_are_paged_by_number(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/{agent.id}"
    for i in range(4):
        await api.patch(url, json={"config": {"i": i}})
    first = (await api.get(f"{url}/revisions?limit=3")).json()
    rest = (await api.get(f"{url}/revisions?limit=3&before={first[-1]['number']}")).json()
    assert [r["number"] for r in first + rest] == [5, 4, 3, 2, 1]


async def test_runtime_is_told_only_when_something_changed(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, name="bot", config={"a": 1})
    url = f"{AGENTS}/by-name/BOT/config"
    first = await api.get(url)
    assert first.json()["action"] == "continue"
    assert first.json()["config"] == {"a": 1}
    assert set(first.json()["otel"]) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_RESOURCE_ATTRIBUTES",
    }
    known = {"If-None-Match": first.headers["etag"]}
    unchanged = await api.get(url, headers=known)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    await api.patch(f"{AGENTS}/{agent.id}", json={"description": "not its business"})
    assert (await api.get(url, headers=known)).status_code == 304
    await api.patch(f"{AGENTS}/{agent.id}", json={"config": {"a": 2}})
    assert (await api.get(url, headers=known)).json()["revision"] == 2


async def test_paused_agent_is_told_to_stop(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/by-name/{agent.name}/config"
    known = {"If-None-Match": (await api.get(url)).headers["etag"]}
    await api.patch(f"{AGENTS}/{agent.id}", json={"is_active": False})
    assert (await api.get(url, headers=known)).json()["action"] == "stop"
    await api.patch(f"{AGENTS}/{agent.id}", json={"is_active": True})
    assert (await api.get(url, headers=known)).status_code == 304


async def test_several_etags_may_be_offered(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    url = f"{AGENTS}/by-name/{agent.name}/config"
    tag = (await api.get(url)).headers["etag"]
    for offered in (f'"other", {tag}', f"W/{tag}", "*"):
        assert (await api.get(url, headers={"If-None-Match": offered})).status_code == 304
