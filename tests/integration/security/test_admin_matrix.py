"""Every view and action of the data admin for every role (A5)."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin import VIEWS
from app.admin.base import ServiceView
from app.core.config import Settings
from app.core.permissions import ROLE_PERMISSIONS, Permission, Role
from tests.factories.users import make_user
from tests.integration.security.principals import PRINCIPALS, Principal, client_as

ROUTES = {
    "list": ("GET", "list"),
    "details": ("GET", "details/987654321"),
    "create": ("GET", "create"),
    "edit": ("GET", "edit/987654321"),
    "delete": ("DELETE", "delete?pks=987654321"),
    "export": ("GET", "export/csv"),
}


def doors(view: type[ServiceView]) -> list[tuple[str, str, Permission | None]]:
    """``(method, path, permission)``; without one, the door is for nobody."""
    table: str = inspect(view.model).local_table.name
    found = [
        (method, f"/admin/{table}/{path}", view.permissions.get(name))
        for name, (method, path) in ROUTES.items()
    ]
    found += [
        (method, f"/admin/{table}/{path}", view.permissions.get(name))
        for name, (method, path) in {
            "create": ("POST", "create"),
            "edit": ("POST", "edit/987654321"),
        }.items()
    ]
    actions = [name for name in view.permissions if name.startswith("action:")]
    found += [
        ("POST", f"/admin/{table}/action/{name.partition(':')[2]}", view.permissions[name])
        for name in actions
    ]
    return found


async def ask(client: httpx2.AsyncClient, session: AsyncSession, method: str, path: str) -> int:
    undone = await session.begin_nested()
    await session.execute(text("SELECT 1"))  # the savepoint is made by the first statement
    form = {"pks": "987654321"} if method == "POST" else None
    response = await client.request(method, path, data=form)
    await undone.rollback()
    return response.status_code


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda p: p.name)
async def test_every_door_of_the_data_admin_is_as_the_views_say(
    app: FastAPI, session: AsyncSession, settings: Settings, principal: Principal
) -> None:
    user = await make_user(session, principal.role or Role.MEMBER)
    enters = principal.enters(api=False)
    may = ROLE_PERMISSIONS[principal.role] if principal.role else frozenset()
    async with client_as(principal, app, session, settings, user) as client:
        for view in VIEWS:
            for method, path, permission in doors(view):
                status = await ask(client, session, method, path)
                if not enters:
                    assert status == 303, (method, path, status)
                elif permission is None or permission not in may:
                    assert status in {403, 404}, (method, path, status)
                else:
                    assert status < 500, (method, path, status)
                    assert status not in {401, 403}, (method, path, status)
