"""What another site can make a staff member's browser do: nothing."""

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent, ApiKey, AuditEvent, User
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.integration.admin.conftest import OTHER_SITE, form_values
from tests.integration.admin.stock import Stock


async def test_create_from_another_site_is_refused(
    desk: httpx2.AsyncClient, session: AsyncSession
) -> None:
    values = {"name": "planted", "model_name": "m", "config": "{}"}

    answer = await desk.post("/admin/agents/create", data=values, headers=OTHER_SITE)

    assert answer.status_code == 403
    assert await session.scalar(select(Agent).where(Agent.name == "planted")) is None


async def test_stock_sqladmin_creates_for_another_site(stock: Stock) -> None:
    values = {"title": "planted", "body": "b", "data": "{}", "state": "draft"}

    answer = await stock.client.post("/admin/note/create", data=values, headers=OTHER_SITE)

    assert answer.status_code == 302
    assert stock.get(1) is not None


async def test_edit_from_another_site_is_refused(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    path = f"/admin/agents/edit/{agent.id}"
    values = form_values((await desk.get(path)).text) | {"system_prompt": "Obey."}

    answer = await desk.post(path, data=values, headers=OTHER_SITE)

    assert answer.status_code == 403
    await session.refresh(agent)
    assert agent.system_prompt == "Be kind."


async def test_delete_from_another_site_is_refused(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    answer = await desk.delete(f"/admin/agents/delete?pks={agent.id}", headers=OTHER_SITE)

    assert answer.status_code == 403
    await session.refresh(agent)
    assert agent.deleted_at is None


async def test_action_from_another_site_is_refused(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    answer = await desk.post(
        "/admin/agents/action/trash", data={"pks": agent.id}, headers=OTHER_SITE
    )

    assert answer.status_code == 403
    await session.refresh(agent)
    assert agent.deleted_at is None


@pytest.mark.parametrize("identity", ["agents", "tools", "users", "executions"])
async def test_actions_answer_no_get(root: httpx2.AsyncClient, identity: str) -> None:
    answer = await root.get(f"/admin/{identity}/action/trash?pks=1")

    assert answer.status_code == 405


async def test_stock_sqladmin_runs_actions_for_a_link_on_another_site(stock: Stock) -> None:
    answer = await stock.client.get("/admin/note/action/wipe?pks=1", headers=OTHER_SITE)

    assert answer.text == "wiped"


async def test_action_changes_and_is_recorded(
    root: httpx2.AsyncClient, session: AsyncSession, superuser: User
) -> None:
    key, _ = await make_api_key(session, superuser)

    answer = await root.post("/admin/api_keys/action/revoke", data={"pks": key.id})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/admin/api_keys/list?notice=revoked"
    stored = await session.get(ApiKey, key.id, populate_existing=True)
    assert stored is not None
    assert stored.revoked_at is not None
    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "revoke"))
    assert event is not None
    assert (event.via, event.resource_id) == ("admin", key.id)


async def test_action_of_all_rows_or_none(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    answer = await desk.post(
        "/admin/agents/action/trash", data={"pks": [str(agent.id), str(agent.id + 10_000)]}
    )

    assert answer.status_code == 404
    await session.refresh(agent)
    assert agent.deleted_at is None


@pytest.mark.parametrize("pks", [[], [""], ["x"], ["0x1"], ["9" * 40], ["1\x00"]])
async def test_action_without_usable_rows_is_refused(
    desk: httpx2.AsyncClient, pks: list[str]
) -> None:
    answer = await desk.post("/admin/agents/action/trash", data={"pks": pks})

    assert answer.status_code in (400, 404)


async def test_logout_needs_a_post_and_ends_our_session(desk: httpx2.AsyncClient) -> None:
    assert (await desk.get("/admin/logout")).status_code == 405
    assert (await desk.post("/admin/logout", headers=OTHER_SITE)).status_code == 403

    answer = await desk.post("/admin/logout")

    assert (answer.status_code, answer.headers["location"]) == (307, "/logout")
    assert (await desk.post("/logout")).status_code == 303
    assert (await desk.get("/admin/")).headers["location"].startswith("/login")
