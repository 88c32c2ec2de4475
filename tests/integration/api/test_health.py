"""What an orchestrator asks."""

from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import migrations
from app.core.database import Database
from app.core.database_errors import UNAVAILABLE
from app.models import User
from tests.conftest import actor_for, client_of, settings_for
from tests.factories.jobs import make_job
from tests.server import free_port


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


async def test_readiness_says_that_the_database_is_not_reachable(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"postgresql+asyncpg://greenroom@127.0.0.1:{free_port()}/greenroom"
    async with Database.opened(settings_for(nobody)) as database, client_of(app) as client:
        monkeypatch.setattr(app.state, "database", database)
        response = await client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": UNAVAILABLE}


async def test_process_stays_ready_while_an_upgrade_changes_the_files_beside_it(
    client: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.get("/health/ready")).status_code == 200
    monkeypatch.setattr(migrations, "PROJECT_ROOT", tmp_path)
    assert (await client.get("/health/ready")).json()["checks"]["migrations"] == "ok"


async def test_version_before_serves_while_an_upgrade_rolls_and_none_serves_an_old_schema(
    own_database: Database,
) -> None:
    head, older = migrations.head_revision(), migrations.known_revisions()
    of_the_next_version, of_an_old_one = "fedcba987654", min(older - {head})
    assert await migrations.is_new_enough(own_database.engine)
    for revision, is_served in ((of_the_next_version, True), (of_an_old_one, False)):
        async with own_database.engine.begin() as connection:
            statement = text("UPDATE alembic_version SET version_num = :revision")
            await connection.execute(statement, {"revision": revision})
        assert await migrations.is_new_enough(own_database.engine) == is_served
