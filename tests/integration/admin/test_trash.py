"""The ways to the trash and back, and the end of a session: by the services' rules, on record."""

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import Agent, AuditEvent, RefreshToken, StaffSession, User
from app.services.agents import AgentService
from app.services.refresh_tokens import RefreshTokenService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.tools import make_tool
from tests.integration.admin.stock import Stock


async def test_trash_and_restore_go_through_the_service(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    trashed = await desk.post("/admin/agents/action/trash", data={"pks": agent.id})

    assert trashed.headers["location"].endswith(f"notice=trashed&undo=agents%3A{agent.id}")
    assert agent.name not in (await desk.get("/admin/agents/list")).text
    assert agent.name in (await desk.get("/admin/agents/list?trash=1")).text
    assert (await desk.get(f"/admin/agents/details/{agent.id}")).status_code == 404
    assert (await desk.get(f"/admin/agents/edit/{agent.id}")).status_code == 404
    assert (await desk.get(f"/admin/agents/details/{agent.id}?trash=1")).status_code == 200

    await desk.post("/admin/agents/action/restore", data={"pks": agent.id})

    assert (await AgentService(session, owner).get(agent.id)).deleted_at is None
    actions = await session.scalars(
        select(AuditEvent.action).where(AuditEvent.resource_id == agent.id).order_by(AuditEvent.id)
    )
    assert list(actions)[-2:] == ["delete", "restore"]


async def test_rules_of_the_service_hold_for_the_trash_too(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    tool = await make_tool(session, owner)
    await make_agent(session, owner, tool_ids=[tool.id])

    by_action = await desk.post("/admin/tools/action/trash", data={"pks": tool.id})
    by_delete = await desk.delete(f"/admin/tools/delete?pks={tool.id}")

    assert (by_action.status_code, by_delete.status_code) == (409, 409)
    assert "1 agent uses this tool" in by_action.text


async def test_delete_moves_to_the_trash(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    answer = await desk.delete(f"/admin/agents/delete?pks={agent.id}")

    assert answer.text == "/admin/agents/list?notice=trashed"
    assert (await session.get_one(Agent, agent.id, populate_existing=True)).deleted_at


@pytest.mark.parametrize("query", ["", "?pks=", "?pks=x", "?pks=1;2", f"?pks={'9' * 30}", "?pks=0"])
async def test_delete_of_nothing_usable_is_refused(desk: httpx2.AsyncClient, query: str) -> None:
    answer = await desk.delete(f"/admin/agents/delete{query}")

    assert answer.status_code in (400, 404)


async def test_stock_sqladmin_fails_on_a_delete_without_rows(stock: Stock) -> None:
    assert (await stock.client.delete("/admin/note/delete")).status_code == 500


async def test_superuser_ends_a_session(
    root: httpx2.AsyncClient, desk: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    row = await session.scalar(select(StaffSession).where(StaffSession.user_id == staff.id))
    assert row is not None

    answer = await root.post("/admin/staff_sessions/action/end", data={"pks": row.id})

    assert answer.headers["location"] == "/admin/staff_sessions/list?notice=ended"
    assert (await desk.get("/admin/")).status_code == 303
    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "end"))
    assert event is not None
    assert (event.resource, event.resource_id) == ("staff_sessions", row.id)


async def test_superuser_ends_an_api_login(
    root: httpx2.AsyncClient,
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    staff: User,
) -> None:
    pair = await RefreshTokenService(session, actor_for(staff), settings).open(staff, None)
    row_id = await session.scalar(select(RefreshToken.id))
    headers = {"Authorization": f"Bearer {pair.access_token}"}
    assert (await client.get("/api/v1/agents", headers=headers)).status_code == 200

    answer = await root.post("/admin/refresh_tokens/action/end", data={"pks": row_id})

    assert answer.headers["location"] == "/admin/refresh_tokens/list?notice=ended"
    assert (await client.get("/api/v1/agents", headers=headers)).status_code == 401
