"""What is paused stops at once, says so exactly, and goes on as it was."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Permission
from app.models import AuditEvent, User
from tests.conftest import client_of
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import execution_data, make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user

API = "/api/v1"
PULL = f"{API}/agents/by-name/runner/config"


async def newest_event(session: AsyncSession) -> AuditEvent:
    return (await session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))).one()


async def test_paused_agent_is_told_to_stop_wherever_it_asks(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, name="runner")
    run = await make_execution(session, actor, agent, status="running", ended_at=None)
    before = await api.get(PULL)
    paused = await api.post(f"{API}/agents/{agent.id}/pause", json={"reason": "It loops."})
    assert (paused.status_code, paused.json()["is_active"]) == (200, False)
    event = await newest_event(session)
    assert (event.action, event.reason) == ("pause", "It loops.")
    pulled = await api.get(PULL, headers={"If-None-Match": before.headers["etag"]})
    assert (pulled.status_code, pulled.json()["action"]) == (200, "stop")
    report = execution_data(agent)
    reported = await api.post(f"{API}/executions", json=report)
    assert (reported.status_code, reported.json()["action"]) == (201, "stop"), "stored all the same"
    known = await api.post(f"{API}/executions", json=report)
    assert (known.status_code, known.json()["action"]) == (200, "stop")
    done = await api.patch(f"{API}/executions/{run.id}", json={"status": "succeeded"})
    assert done.json()["action"] == "stop"
    other = await make_agent(session, actor)
    items = [execution_data(agent), execution_data(other), {"agent": "nobody"}]
    batch = (await api.post(f"{API}/executions/batch", json={"items": items})).json()
    assert [item.get("action") for item in batch["items"]] == ["stop", "continue", None]
    await api.post(f"{API}/agents/{agent.id}/resume")
    resumed = await api.get(PULL)
    assert (resumed.json()["action"], resumed.headers["etag"]) == (
        "continue",
        before.headers["etag"],
    )
    assert resumed.json()["revision"] == 1, "a pause makes no revision"


async def test_paused_tool_is_left_out_of_what_is_pulled(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tools = [await make_tool(session, actor) for _ in range(3)]
    await make_agent(session, actor, name="runner", tool_ids=[tool.id for tool in tools])
    before = await api.get(PULL)
    etags = {before.headers["etag"]}
    for tool in tools[:2]:
        assert (await api.post(f"{API}/tools/{tool.id}/pause")).status_code == 200
        pulled = await api.get(PULL)
        assert pulled.headers["etag"] not in etags
        etags.add(pulled.headers["etag"])
    assert [tool["id"] for tool in pulled.json()["tools"]] == [tools[2].id]
    assert set(pulled.json()["paused_tools"]) == {tools[0].name, tools[1].name}
    assert (pulled.json()["action"], pulled.json()["revision"]) == ("continue", 1)
    unchanged = await api.get(PULL, headers={"If-None-Match": pulled.headers["etag"]})
    assert unchanged.status_code == 304
    for tool in tools[:2]:
        await api.post(f"{API}/tools/{tool.id}/resume")
    after = await api.get(PULL)
    assert (after.headers["etag"], after.json()) == (before.headers["etag"], before.json())


async def test_paused_tool_is_back_in_the_revision_it_was_paused_through(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    """A revision made during the pause holds the tool: resuming needs no other one."""
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, name="runner", tool_ids=[tool.id])
    await api.post(f"{API}/tools/{tool.id}/pause")
    await api.patch(f"{API}/agents/{agent.id}", json={"system_prompt": "Be brief."})
    pulled = (await api.get(PULL)).json()
    assert (pulled["revision"], pulled["tools"], pulled["paused_tools"]) == (2, [], [tool.name])
    await api.post(f"{API}/tools/{tool.id}/resume")
    pulled = (await api.get(PULL)).json()
    assert (pulled["revision"], len(pulled["tools"])) == (2, 1)


async def test_paused_key_gets_403_with_a_code_of_its_own_until_it_is_resumed(
    app: FastAPI, web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User
) -> None:
    agent = await make_agent(session, actor, name="runner")
    key, token = await make_api_key(session, staff)
    async with client_of(app, headers={"X-API-Key": token}) as runtime:
        assert (await runtime.get(PULL)).status_code == 200
        paused = await web.post(f"{API}/api-keys/{key.id}/pause", json={"reason": "Too loud."})
        assert paused.json()["paused_at"] is not None
        for answer in (
            await runtime.get(PULL),
            await runtime.post(f"{API}/executions", json=execution_data(agent)),
        ):
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "KEY_PAUSED"
        again = await web.post(f"{API}/api-keys/{key.id}/pause", json={})
        assert again.json()["paused_at"] == paused.json()["paused_at"]
        assert (await web.post(f"{API}/api-keys/{key.id}/resume")).json()["paused_at"] is None
        assert (await runtime.get(PULL)).status_code == 200


async def test_paused_key_is_not_taken_for_a_guess(
    app: FastAPI, web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    """A runtime that goes on asking does not lock its address out."""
    key, token = await make_api_key(session, staff)
    await web.post(f"{API}/api-keys/{key.id}/pause")
    limit = app.state.settings.rate_limit_refused_per_minute
    async with client_of(app, headers={"X-API-Key": token}) as runtime:
        statuses = {(await runtime.get(PULL)).status_code for _ in range(limit + 1)}
    assert statuses == {403}


async def test_key_that_is_over_is_not_paused_and_a_paused_one_not_rotated(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, _ = await make_api_key(session, staff)
    await web.post(f"{API}/api-keys/{key.id}/pause")
    assert (await web.post(f"{API}/api-keys/{key.id}/rotate")).status_code == 409
    assert (await web.delete(f"{API}/api-keys/{key.id}")).status_code == 204
    assert (await web.post(f"{API}/api-keys/{key.id}/pause")).status_code == 409


@pytest.mark.parametrize("resource", ["agents", "tools"])
async def test_pause_of_an_older_version_is_refused(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, resource: str
) -> None:
    if resource == "agents":
        row_id = (await make_agent(session, actor)).id
    else:
        row_id = (await make_tool(session, actor)).id
    await api.patch(f"{API}/{resource}/{row_id}", json={"description": "Changed meanwhile."})
    path = f"{API}/{resource}/{row_id}/pause"
    assert (await api.post(path, headers={"If-Match": '"1"'})).status_code == 412
    assert (await api.post(path, headers={"If-Match": '"2"'})).status_code == 200


async def test_pulls_are_counted_for_keys_and_say_which_revision_each_has(
    app: FastAPI,
    api: httpx2.AsyncClient,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    staff: User,
) -> None:
    agent = await make_agent(session, actor, name="runner")
    key, token = await make_api_key(session, staff, [Permission.AGENTS_READ])
    key.name = "eu-worker"
    await session.flush()
    async with client_of(app, headers={"X-API-Key": token}) as runtime:
        tag = (await runtime.get(PULL)).headers["etag"]
        assert (await runtime.get(PULL, headers={"If-None-Match": tag})).status_code == 304
    await web.get(PULL)  # a person who looks is no runtime
    await app.state.config_pulls.flush()
    shown = (await web.get(f"/agents/{agent.id}")).text
    assert "eu-worker" in shown
    assert ">2</td>" in shown
    assert "outdated" not in shown
    await api.patch(f"{API}/agents/{agent.id}", json={"system_prompt": "Be brief."})
    shown = (await web.get(f"/agents/{agent.id}")).text
    assert "outdated, live is r2" in shown
    async with client_of(app, headers={"X-API-Key": token}) as runtime:
        await runtime.get(PULL)
    await app.state.config_pulls.flush()
    assert "outdated" not in (await web.get(f"/agents/{agent.id}")).text
    of_key = (await web.get(f"/keys/{key.id}")).text
    assert f'href="/agents/{agent.id}"' in of_key
    assert "r2" in of_key


async def test_counts_of_one_flush_are_added_to_those_before(
    app: FastAPI, session: AsyncSession, actor: Actor, staff: User, web: httpx2.AsyncClient
) -> None:
    agent = await make_agent(session, actor)
    key, _ = await make_api_key(session, staff)
    pulls = app.state.config_pulls
    for size in (3, 4):
        for _ in range(size):
            pulls.note(key.id, agent.id, 1)
        pulls.note(987_654_321, agent.id, 1)  # of a key that is gone by now
        await pulls.flush()
    assert ">7</td>" in (await web.get(f"/agents/{agent.id}")).text


async def test_paused_key_of_someone_disabled_opens_nothing_either(
    app: FastAPI, session: AsyncSession
) -> None:
    other = await make_user(session)
    key, token = await make_api_key(session, other)
    key.paused_at = key.created_at
    await session.flush()
    await session.execute(update(User).where(User.id == other.id).values(is_active=False))
    async with client_of(app, headers={"X-API-Key": token}) as runtime:
        assert (await runtime.get(PULL)).status_code == 401
