"""Every change that another site asks a browser for is refused, and nothing is changed (A2)."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin import VIEWS
from app.core.config import Settings
from app.core.permissions import Role
from app.models import Base
from tests.integration.doors import doors_of
from tests.integration.security.principals import Principal, client_as
from tests.integration.security.test_admin_matrix import doors
from tests.integration.security.test_matrix import rows_of, url_of

VARIANTS: dict[str, dict[str, str]] = {
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "cross-site with our origin": {
        "Sec-Fetch-Site": "cross-site",
        "Origin": "http://localhost",
    },
    "evil origin": {"Origin": "https://evil.example"},
    "null origin": {"Origin": "null"},
    "neither header": {},
}


async def fingerprint(session: AsyncSession) -> list[Any]:
    """How many rows there are and when any was changed last, table by table."""
    found = []
    for table in Base.metadata.sorted_tables:
        changed = "max(updated_at)" if "updated_at" in table.columns else "NULL"
        count = await session.execute(text(f"SELECT count(*), {changed} FROM {table.name}"))
        found.append((table.name, tuple(count.one())))
    return found


def changes(app: FastAPI, ids: dict[str, int]) -> list[tuple[str, str]]:
    found = [(door.method, url_of(door, ids)) for door in doors_of(app) if door.writes]
    found += [(m, path) for view in VIEWS for m, path, _ in doors(view) if m != "GET"]
    # Actions and the logout are changes whatever their method.
    found += [("GET", path) for m, path in found if "/action/" in path]
    return [*found, ("POST", "/admin/logout"), ("GET", "/admin/logout"), ("GET", "/logout")]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_change_that_another_site_asks_for_changes_nothing(
    app: FastAPI, session: AsyncSession, settings: Settings, variant: str
) -> None:
    rows = await rows_of(session, Role.SUPERUSER)
    await session.refresh(rows.user)
    principal = Principal("cookie", Role.SUPERUSER)
    async with client_as(principal, app, session, settings, rows.user) as client:
        del client.headers["sec-fetch-site"]
        before = await fingerprint(session)
        sent = changes(app, rows.live)
        assert len(sent) > 80
        for method, path in sent:
            response: httpx2.Response = await client.request(
                method, path, data={} if method != "GET" else None, headers=VARIANTS[variant]
            )
            assert response.status_code == 403, (method, path)
        assert await fingerprint(session) == before
        assert (await client.get("/agents")).status_code == 200, "still logged in"
