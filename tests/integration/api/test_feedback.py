"""What is said of a run is added to it, on record, and read with it."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import Permission
from app.models import AuditEvent, Execution, User
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import SAME_ORIGIN, key_headers, log_in
from tests.factories.executions import make_execution

STEP = "00000000000000b1"


@pytest.fixture
async def run(session: AsyncSession, staff: User) -> Execution:
    agent = await make_agent(session, actor_for(staff))
    return await make_execution(session, actor_for(staff), agent)


@pytest.fixture
async def headers(session: AsyncSession, staff: User) -> dict[str, str]:
    return await key_headers(session, staff)


async def test_feedback_is_read_with_its_run(
    client: httpx2.AsyncClient, run: Execution, headers: dict[str, str], session: AsyncSession
) -> None:
    path = f"/api/v1/executions/{run.id}"
    said = {"name": "correct", "value": "0.1", "comment": "Wrong bag.", "span_id": STEP}
    answer = await client.post(f"{path}/feedback", json=said, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == path
    assert answer.json() | said == answer.json()
    read = (await client.get(path, headers=headers)).json()["feedback"]
    assert read == [answer.json()]
    event = await session.scalar(select(AuditEvent).where(AuditEvent.action == "feedback"))
    assert event is not None
    assert event.changes["comment"] == [None, "Wrong bag."]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"name": "rating"}, "body"),
        ({"name": "rating", "value": "many"}, "value"),
        ({"name": "rating", "value": 1e300}, "value"),
        ({"value": 1}, "name"),
        ({"name": "rating", "value": 1, "span_id": "00000000000000ff"}, "span_id"),
        ({"name": "rating", "value": 1, "colour": "red"}, "colour"),
    ],
)
async def test_feedback_that_says_nothing_or_fits_nothing_is_refused(
    client: httpx2.AsyncClient,
    run: Execution,
    headers: dict[str, str],
    said: dict[str, Any],
    where: str,
) -> None:
    path = f"/api/v1/executions/{run.id}/feedback"
    answer = await client.post(path, json=said, headers=headers)
    assert answer.status_code == 422
    assert where in str(answer.json()["error"]["details"])


async def test_feedback_sent_again_is_said_once(
    client: httpx2.AsyncClient, run: Execution, headers: dict[str, str]
) -> None:
    once = headers | {"Idempotency-Key": "rate-1"}
    path = f"/api/v1/executions/{run.id}"
    first, second = [
        await client.post(f"{path}/feedback", json={"name": "r", "value": 1}, headers=once)
        for _ in range(2)
    ]
    assert first.json() == second.json()
    assert len((await client.get(path, headers=headers)).json()["feedback"]) == 1


async def test_members_rate_their_own_runs_only(
    client: httpx2.AsyncClient, run: Execution, session: AsyncSession, member: User
) -> None:
    headers = await key_headers(session, member, [Permission.EXECUTIONS_WRITE])
    path = f"/api/v1/executions/{run.id}/feedback"
    answer = await client.post(path, json={"name": "r", "value": 1}, headers=headers)
    assert answer.status_code == 404


async def test_staff_rate_a_run_on_its_page(
    client: httpx2.AsyncClient,
    run: Execution,
    session: AsyncSession,
    settings: Settings,
    staff: User,
) -> None:
    await log_in(client, session, settings, staff)
    path = f"/executions/{run.id}/feedback"
    assert (await client.get(path)).status_code == 200
    empty = await client.post(path, data={"name": "rating"}, headers=SAME_ORIGIN)
    assert empty.status_code == 422
    assert "needs a value, a label or a comment" in empty.text
    said = {"name": "rating", "value": "1", "comment": "<b>Kind</b>"}
    given = await client.post(path, data=said, headers=SAME_ORIGIN)
    assert given.status_code == 303
    page = (await client.get(f"/executions/{run.id}")).text
    assert "&lt;b&gt;Kind&lt;/b&gt;" in page
    assert staff.full_name in page
