"""HEAD of a page, and of health, is its GET without the body, whoever asks."""

import httpx2
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import AuditEvent, User
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent

SAME = ("content-type", "content-length", "cache-control", "location", "content-security-policy")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/agents", 200),
        ("/help", 200),
        ("/health/live", 200),
        ("/health", 200),
        ("/agents/999999", 404),
        ("/retention", 403),
        ("/nowhere", 404),
    ],
)
async def test_head_is_get_without_the_body(
    web: httpx2.AsyncClient, path: str, status: int
) -> None:
    headers = {"X-Correlation-ID": "of-both-requests"}  # a page of an error shows it
    got, head = await web.get(path, headers=headers), await web.head(path, headers=headers)
    assert (got.status_code, head.status_code) == (status, status)
    assert got.content
    assert head.content == b""
    assert [head.headers.get(name) for name in SAME] == [got.headers.get(name) for name in SAME]


async def test_head_of_who_is_not_logged_in_is_sent_to_the_login(
    client: httpx2.AsyncClient,
) -> None:
    got, head = await client.get("/agents"), await client.head("/agents")
    assert (head.status_code, head.headers["location"]) == (303, got.headers["location"])


@pytest.mark.parametrize("path", ["/api/v1/agents", "/retention/apply"])
async def test_what_has_no_page_has_no_head(web: httpx2.AsyncClient, path: str) -> None:
    assert (await web.head(path)).status_code == 405


async def test_head_costs_and_is_told_what_get_is(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User, counted: QueryCounter
) -> None:
    staff.role = Role.SUPERUSER
    await make_agent(session, actor)
    told = select(func.count()).where(AuditEvent.action == "export")
    await web.get("/agents/export?format=csv")  # what is looked up once is remembered
    costs, exports = [], []
    for look in (web.get, web.head):
        with counted:
            await look("/agents/export?format=csv")
        costs.append(counted.count)
        exports.append(await session.scalar(told))
    assert costs[1] == 2 * costs[0]
    assert exports == [2, 3], "whoever asks for the head of an export has had one made"
