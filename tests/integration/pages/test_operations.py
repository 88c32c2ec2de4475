"""The operations page and its JSON: for superusers, complete, and without anything secret."""

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.models import User
from app.services.operations.report import CHECKS
from tests.conftest import SECRET, QueryCounter, client_of
from tests.factories.clients import log_in


@pytest.fixture
async def boss(
    app: FastAPI, session: AsyncSession, settings: Settings, superuser: User
) -> httpx2.AsyncClient:
    async with client_of(app) as client:
        await log_in(client, session, settings, superuser)
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://localhost", cookies=client.cookies
    )


async def test_page_shows_every_check_and_no_secret(
    boss: httpx2.AsyncClient, settings: Settings
) -> None:
    page = await boss.get("/operations")
    assert page.status_code == 200
    assert all(f">{check.name}" in page.text for check in CHECKS)
    assert "To do" in page.text
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    for secret in (SECRET, url.partition("host=")[2], str(settings.data_dir)):
        assert secret not in page.text


async def test_refresh_is_the_report_alone(boss: httpx2.AsyncClient) -> None:
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    part = (await boss.get("/operations", headers=headers)).text
    assert part.lstrip().startswith('<div id="report"')


async def test_looking_costs_the_pool_no_more_than_the_login(
    boss: httpx2.AsyncClient, counted: QueryCounter
) -> None:
    with counted:
        await boss.get("/operations")
    assert counted.count <= 2


async def test_programs_get_the_same(boss: httpx2.AsyncClient) -> None:
    answer = await boss.get("/api/v1/operations")
    assert answer.status_code == 200
    body = answer.json()
    assert body["state"] in ("ok", "warn", "bad")
    assert [finding["key"] for finding in body["findings"]] == [check.key for check in CHECKS]
    assert {"name", "total_bytes"} & body["tables"][0].keys() == {"name"}


async def test_staff_get_neither(web: httpx2.AsyncClient) -> None:
    assert (await web.get("/operations")).status_code == 403
    assert (await web.get("/api/v1/operations")).status_code == 403
    assert 'href="/operations"' not in (await web.get("/jobs")).text
