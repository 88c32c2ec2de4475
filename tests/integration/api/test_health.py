"""What an orchestrator asks."""

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from tests.conftest import actor_for
from tests.factories.jobs import make_job


async def test_health_answers_without_a_login(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200


async def test_readiness_names_jobs_that_wait_too_long_and_stays_ready(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    await make_job(session, actor_for(staff))
    assert (await client.get("/health/ready")).json()["checks"]["jobs"] == "ok"
    await session.execute(
        text("UPDATE pgqueuer.queue SET execute_after = now() - interval '10 minutes'")
    )
    response = await client.get("/health/ready")
    assert response.status_code == 200
    assert "is a worker running?" in response.json()["checks"]["jobs"]
