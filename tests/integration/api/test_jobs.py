"""Jobs over the API: watched, cancelled and tried again by who asked for them."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.permissions import Permission, Role
from app.models import JobKind, JobStatus, User
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.jobs import make_job
from tests.factories.users import make_user

JOBS = "/api/v1/jobs"


@pytest.fixture
async def headers(session: AsyncSession, staff: User) -> dict[str, str]:
    return await key_headers(session, staff)


async def test_jobs_are_listed_newest_first_and_narrowed(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, headers: dict[str, str]
) -> None:
    actor = actor_for(staff)
    first = await make_job(session, actor)
    second = await make_job(session, actor, JobKind.SEND_MAIL, status=JobStatus.FAILED)
    found = (await client.get(JOBS, headers=headers)).json()
    assert [item["id"] for item in found["items"]] == [second.id, first.id]
    for query, expected in (("status=failed", second), ("kind=analyze_agent", first)):
        items = (await client.get(f"{JOBS}?{query}", headers=headers)).json()["items"]
        assert [item["id"] for item in items] == [expected.id]
    page = (await client.get(f"{JOBS}?limit=1", headers=headers)).json()
    rest = (await client.get(f"{JOBS}?cursor={page['next_cursor']}", headers=headers)).json()
    assert [item["id"] for item in rest["items"]] == [first.id]
    assert (await client.get(f"{JOBS}?status=lost", headers=headers)).status_code == 422


async def test_job_is_read_with_its_result(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, headers: dict[str, str]
) -> None:
    job = await make_job(
        session, actor_for(staff), status=JobStatus.SUCCEEDED, result={"runs": 3}, progress=100
    )
    body = (await client.get(f"{JOBS}/{job.id}", headers=headers)).json()
    assert (body["result"], body["params"], body["progress"]) == ({"runs": 3}, {"limit": 10}, 100)


async def test_waiting_job_is_cancelled_and_tried_again(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, headers: dict[str, str]
) -> None:
    job = await make_job(session, actor_for(staff))
    cancelled = await client.post(f"{JOBS}/{job.id}/cancel", headers=headers)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await client.post(f"{JOBS}/{job.id}/cancel", headers=headers)
    assert again.status_code == 409
    retried = await client.post(f"{JOBS}/{job.id}/retry", headers=headers)
    assert (retried.status_code, retried.json()["status"]) == (200, "queued")
    assert (await client.post(f"{JOBS}/{job.id}/retry", headers=headers)).status_code == 409


@pytest.mark.parametrize("action", ["", "/cancel", "/retry"])
async def test_job_of_someone_else_is_not_there_for_members(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User, member: User, action: str
) -> None:
    job = await make_job(session, actor_for(staff), status=JobStatus.FAILED)
    headers = await key_headers(session, member)
    method = client.post if action else client.get
    assert (await method(f"{JOBS}/{job.id}{action}", headers=headers)).status_code == 404
    assert (await client.get(JOBS, headers=headers)).json()["items"] == []


async def test_key_of_one_agent_sees_the_jobs_about_it_only(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent = await make_agent(session, actor_for(staff))
    about = await make_job(session, actor_for(staff), agent_id=agent.id)
    await make_job(session, actor_for(staff))
    headers = await key_headers(session, staff, [Permission.JOBS_READ], agent)
    items = (await client.get(JOBS, headers=headers)).json()["items"]
    assert [item["id"] for item in items] == [about.id]


async def test_list_of_jobs_asks_as_often_whatever_its_length(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    headers: dict[str, str],
    counted: QueryCounter,
) -> None:
    agent = await make_agent(session, actor_for(staff))
    for _ in range(5):
        other = await make_user(session, Role.STAFF)
        await make_job(session, actor_for(other), agent_id=agent.id)
    await client.get(JOBS, headers=headers)
    with counted:
        assert (await client.get(JOBS, headers=headers)).status_code == 200
    assert counted.count <= 2
