"""More rows on a page need no more queries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import JobKind, JobStatus, User
from app.services.attention import LEAST_RUNS, SHOWN
from tests.conftest import QueryCounter
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import make_execution
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.jobs import make_job
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tool_calls import make_tool_call_hour
from tests.factories.tools import make_tool
from tests.factories.users import make_user
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint

MANY = 12


async def fill(session: AsyncSession, actor: Actor, user: User, rows: int) -> None:
    """So many agents with a tool, runs and keys, and the audit events of making them."""
    for _ in range(rows):
        tool = await make_tool(session, actor)
        agent = await make_agent(session, actor, tool_ids=[tool.id])
        await make_execution(session, actor, agent)
        await make_api_key(session, user, agent=agent)
        await make_user(session)
        await make_model_price(session, actor, model=f"m-{agent.id}")
        await make_ingest_batch(session, actor)
        await make_saved_view(session, actor)
        await make_job(session, actor, agent_id=agent.id)
        await make_bulk_change(session, actor, ids=[agent.id])
        hook = await make_webhook_endpoint(session, events=["job.failed"])
        await make_webhook_delivery(session, actor, hook.endpoint)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/agents",
        "/tools",
        "/executions",
        "/keys",
        "/ingest",
        "/keys?everyone=1",
        "/users",
        "/model-prices",
        "/webhooks",
        "/audit",
        "/jobs",
        "/bulk-changes",
        "/views",
        "/search?q=agent",
    ],
)
async def test_list_page_needs_the_same_queries_for_one_row_and_for_many(
    path: str,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    staff: User,
    counted: QueryCounter,
) -> None:
    staff.role = Role.SUPERUSER
    await fill(session, actor, staff, 1)
    await web.get(path)
    with counted:
        assert (await web.get(path)).status_code == 200
    few = counted.count
    await fill(session, actor, staff, MANY)
    counted.statements.clear()
    with counted:
        assert (await web.get(path)).status_code == 200
    assert counted.count == few


async def make_trouble(session: AsyncSession, actor: Actor, user: User) -> None:
    """Of each kind that the dashboard says needs attention, one."""
    now = datetime.now(UTC)
    tool = await make_tool(session, actor)
    agent = await make_agent(session, actor, tool_ids=[tool.id])
    started_at = (now - timedelta(hours=1)).isoformat()
    times: dict[str, Any] = {"started_at": started_at, "ended_at": None, "spans": []}
    for status in ["failed"] * LEAST_RUNS + ["stalled"]:
        await make_execution(session, actor, agent, status=status, **times)
    await make_tool_call_hour(session, agent, tool, checked=4, broken=2)
    await make_job(session, actor, JobKind.SEND_MAIL, status=JobStatus.FAILED)
    hook = await make_webhook_endpoint(session, events=["job.failed"])
    hook.endpoint.failing_since = now
    key, _ = await make_api_key(session, user)
    key.expires_at = now + timedelta(days=5)
    await session.flush()  # as others have committed it


async def test_dashboard_needs_the_same_queries_for_one_trouble_and_for_many(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    staff: User,
    counted: QueryCounter,
) -> None:
    staff.role = Role.SUPERUSER
    await make_trouble(session, actor, staff)
    await web.get("/")
    with counted:
        assert "Needs attention" in (await web.get("/")).text
    few = counted.count
    for _ in range(SHOWN + 1):
        await make_trouble(session, actor, staff)
    counted.statements.clear()
    with counted:
        page = LexborHTMLParser((await web.get("/")).text)
    assert counted.count == few
    # Agents, tools, endpoints and keys; stalled runs and failed jobs are one line each.
    assert len(page.css(".attention tbody tr")) == 4 * SHOWN + 2


async def test_runs_are_one_query_and_a_fixed_number(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, staff: User, counted: QueryCounter
) -> None:
    await fill(session, actor, staff, MANY)
    await api.get("/api/v1/executions")
    with counted:
        await api.get("/api/v1/executions")
    listing = [statement for statement in counted.statements if "FROM executions" in statement]
    assert len(listing) == 1
    assert counted.count <= 3
