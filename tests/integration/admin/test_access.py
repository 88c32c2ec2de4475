"""Who gets in, and what each role may do there."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Mount, Route

from app.admin import VIEWS
from app.core.actor import Actor
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import Permission, Role
from app.main import create_app
from app.models import User
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import make_execution
from tests.factories.users import make_user
from tests.integration.admin.conftest import Login, rows_of, texts
from tests.integration.admin.stock import Stock

SUPERUSER_ONLY = ["users", "staff_sessions", "audit_events", "idempotency_keys"]
READABLE = ["agents", "agent_revisions", "tools", "executions", "spans", "api_keys"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/agents/list?search=a", "/admin/users/create"])
async def test_visitor_is_sent_to_the_login_and_back(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 303
    assert str(httpx2.URL(answer.headers["location"]).params["next"]) == path


async def test_visitor_changes_nothing(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/admin/agents/create", data={"name": "planted"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_member_does_not_get_in(login: Login, member: User) -> None:
    answer = await (await login(member)).get("/admin/agents/list")

    assert answer.status_code == 303


async def test_own_login_of_sqladmin_leads_to_ours(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/admin/login")

    assert answer.headers["location"] == "/login?next=/admin/"
    assert (await client.post("/admin/login", data={"username": "a"})).status_code == 405


@pytest.mark.parametrize("identity", SUPERUSER_ONLY)
@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
async def test_only_superusers_read_people_and_records(
    login: Login, session: AsyncSession, identity: str, role: Role
) -> None:
    desk = await login(await make_user(session, role=role))

    for path in (f"/admin/{identity}/list", f"/admin/{identity}/details/1"):
        assert (await desk.get(path)).status_code == 403
    assert (await desk.get(f"/admin/{identity}/export/csv")).status_code == 403
    assert f"{identity}/list" not in (await desk.get("/admin/")).text


@pytest.mark.parametrize("identity", READABLE)
async def test_viewer_reads(login: Login, viewer: User, identity: str) -> None:
    desk = await login(viewer)

    answer = await desk.get(f"/admin/{identity}/list")

    assert answer.status_code == 200
    assert "/create" not in answer.text
    assert "/action/" not in answer.text


async def test_names_lead_only_where_the_reader_may_go(
    desk: httpx2.AsyncClient, root: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    await make_agent(session, owner)

    assert "/admin/users/details/" not in (await desk.get("/admin/agents/list")).text
    assert "/admin/users/details/" in (await root.get("/admin/agents/list")).text


async def test_viewer_cannot_change_anything(
    login: Login, viewer: User, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)
    run = await make_execution(session, owner, agent)
    key, _ = await make_api_key(session, viewer)
    desk = await login(viewer)

    refused = [
        await desk.get("/admin/agents/create"),
        await desk.post("/admin/agents/create", data={"name": "mine"}),
        await desk.get(f"/admin/agents/edit/{agent.id}"),
        await desk.post(f"/admin/agents/edit/{agent.id}", data={"name": "mine"}),
        await desk.delete(f"/admin/agents/delete?pks={agent.id}"),
        await desk.post("/admin/agents/action/trash", data={"pks": agent.id}),
        await desk.post("/admin/agents/action/restore", data={"pks": agent.id}),
        await desk.post("/admin/executions/action/trash", data={"pks": run.id}),
        await desk.post("/admin/api_keys/action/revoke", data={"pks": key.id}),
    ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)


@pytest.mark.parametrize(
    "identity", ["agent_revisions", "spans", "executions", "audit_events", "staff_sessions"]
)
async def test_records_cannot_be_made_or_edited_even_by_superusers(
    root: httpx2.AsyncClient, identity: str
) -> None:
    assert (await root.get(f"/admin/{identity}/create")).status_code == 403
    assert (await root.post(f"/admin/{identity}/create", data={"id": 1})).status_code == 403
    assert (await root.post(f"/admin/{identity}/edit/1", data={"id": 1})).status_code == 403


async def test_refusal_writes_names_as_they_are_written(root: httpx2.AsyncClient) -> None:
    assert "with API keys." in (await root.get("/admin/api_keys/create")).text
    assert "with audit events." in (await root.get("/admin/audit_events/create")).text


async def test_staff_see_their_own_keys_and_superusers_all(
    login: Login, staff: User, superuser: User, session: AsyncSession
) -> None:
    own, _ = await make_api_key(session, staff)
    other, _ = await make_api_key(session, superuser)
    desk = await login(staff)

    listed = (await desk.get("/admin/api_keys/list")).text

    assert own.prefix in listed
    assert other.prefix not in listed
    assert (await desk.get(f"/admin/api_keys/details/{other.id}")).status_code == 404
    revoked = await desk.post("/admin/api_keys/action/revoke", data={"pks": other.id})
    assert revoked.status_code == 404
    assert other.prefix not in (await desk.get("/admin/api_keys/export/csv")).text
    assert len(rows_of((await (await login(superuser)).get("/admin/api_keys/list")).text)) == 2


async def test_only_the_routes_that_are_meant_to_be_are_there(app: FastAPI) -> None:
    mount = next(r for r in app.routes if isinstance(r, Mount) and r.path == "/admin")
    found = {(r.name, *sorted(r.methods or ())) for r in mount.routes if isinstance(r, Route)}
    actions = {route for route in found if route[0].startswith("action-")}

    assert {route[1:] for route in actions} == {("POST",)}
    assert {name for name, *_ in found - actions} == {
        "index",
        "login",
        "logout",
        "list",
        "details",
        "delete",
        "create",
        "edit",
        "export",
    }


@pytest.mark.parametrize("verb", ["download", "preview"])
async def test_no_file_of_the_server_is_served(
    root: httpx2.AsyncClient, session: AsyncSession, owner: Actor, verb: str
) -> None:
    agent = await make_agent(session, owner, description="pyproject.toml")

    answer = await root.get(f"/admin/agents/{agent.id}/description/{verb}/")

    assert answer.status_code == 404
    assert "[project]" not in answer.text


async def test_stock_sqladmin_serves_files_named_by_any_text_column(stock: Stock) -> None:
    note_id = stock.add(title="t", body="pyproject.toml")

    answer = await stock.client.get(f"/admin/note/{note_id}/body/download/")

    assert "[project]" in answer.text


@pytest.mark.parametrize("path", ["/admin/agents/import", "/admin/agents/ajax/lookup"])
async def test_import_and_lookups_are_not_there(root: httpx2.AsyncClient, path: str) -> None:
    assert (await root.get(path)).status_code == 404
    assert (await root.post(path)).status_code == 404


async def test_error_text_in_the_url_is_not_shown(desk: httpx2.AsyncClient) -> None:
    answer = await desk.get("/admin/agents/list?error=Call+555-1234&notice=Call+555-1234")

    assert "555-1234" not in answer.text


async def test_stock_sqladmin_shows_error_text_of_the_url(stock: Stock) -> None:
    answer = await stock.client.get("/admin/note/list?error=Call+555-1234")

    assert "Call 555-1234" in answer.text


async def test_sqladmin_does_not_reconfigure_our_sessions(
    settings: Settings, database: Database
) -> None:
    before = dict(database._sessions.kw)

    create_app(settings, database)

    assert database._sessions.kw == before


async def test_stock_sqladmin_turns_off_autoflush_of_the_sessions_it_gets(stock: Stock) -> None:
    assert stock.sessions.kw["autoflush"] is False


async def test_pages_hold_no_inline_script_or_style(
    desk: httpx2.AsyncClient, session: AsyncSession, owner: Actor
) -> None:
    agent = await make_agent(session, owner)

    for path in ("", "agents/list", f"agents/details/{agent.id}", f"agents/edit/{agent.id}"):
        html = (await desk.get(f"/admin/{path}")).text
        assert "style=" not in html
        assert " onclick" not in html
        assert not any(texts(html, "script, style"))


def test_every_permission_named_in_a_view_exists() -> None:
    assert {p for view in VIEWS for p in view.permissions.values()} <= set(Permission)
