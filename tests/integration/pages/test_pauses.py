"""The page before a pause says what it stops, asks why, and needs no script."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import AuditEvent, User
from tests.conftest import client_of
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool


async def test_pause_of_an_agent_names_its_runs_and_runtimes(
    app: FastAPI, web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User
) -> None:
    agent = await make_agent(session, actor, name="runner")
    for status in ("running", "pending", "succeeded"):
        await make_execution(session, actor, agent, status=status, ended_at=None)
    async with client_of(app, headers=await key_headers(session, staff)) as runtime:
        await runtime.get("/api/v1/agents/by-name/runner/config")
    await app.state.config_pulls.flush()
    page = await web.get(f"/agents/{agent.id}/pause")
    assert page.status_code == 200
    assert '<div class="v">2</div>' in page.text, "two runs are open"
    assert "test key" in page.text
    form = {"version": "1", "reason": "It loops."}
    done = await web.post(f"/agents/{agent.id}/pause", data=form)
    assert done.headers["location"] == f"/agents/{agent.id}?notice=paused"
    shown = (await web.get(f"/agents/{agent.id}")).text
    assert "Runtimes are told to stop." in shown
    assert f'action="/agents/{agent.id}/resume"' in shown
    assert "paused already" in (await web.get(f"/agents/{agent.id}/pause")).text


async def test_pause_of_a_tool_names_the_agents_that_go_on_without_it(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    assert agent.name in (await web.get(f"/tools/{tool.id}/pause")).text
    await web.post(f"/tools/{tool.id}/pause", data={"version": "1", "reason": ""})
    assert "leaves it out" in (await web.get(f"/tools/{tool.id}")).text
    assert f"{tool.name} (paused)" in (await web.get(f"/agents/{agent.id}")).text
    await web.post(f"/tools/{tool.id}/resume", data={"version": "2"})
    assert "(paused)" not in (await web.get(f"/agents/{agent.id}")).text


async def test_pause_of_a_key_is_on_record_with_its_reason(
    web: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    key, _ = await make_api_key(session, staff)
    assert "KEY_PAUSED" in (await web.get(f"/keys/{key.id}/pause")).text
    form = {"version": str(key.row_version), "reason": "Too loud."}
    assert (await web.post(f"/keys/{key.id}/pause", data=form)).status_code == 303
    newest = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)
    event = (await session.scalars(newest)).one()
    assert (event.action, event.reason, event.resource_id) == ("pause", "Too loud.", key.id)
    shown = (await web.get(f"/keys/{key.id}")).text
    assert "Paused" in shown
    assert "Resume" in shown
    assert "Paused" in (await web.get("/keys")).text


async def test_reason_that_is_too_long_is_shown_again(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    form = {"version": "1", "reason": "x" * 501}
    refused = await web.post(f"/agents/{agent.id}/pause", data=form)
    assert refused.status_code == 422
    assert 'id="f-reason-e"' in refused.text
    assert "x" * 501 in refused.text


async def test_pause_of_an_older_version_shows_that_someone_saved(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    refused = await web.post(f"/agents/{agent.id}/pause", data={"version": "7"})
    assert refused.status_code == 412
    assert "in between" in refused.text


@pytest.mark.parametrize("path", ["/agents", "/tools", "/keys"])
async def test_missing_rows_are_missing(web: httpx2.AsyncClient, path: str) -> None:
    assert (await web.get(f"{path}/987654321/pause")).status_code == 404
