"""The chores of the clock: what is over goes, what is silent is said to be, what is due is made."""

from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.models import User
from app.models.executions import ExecutionStatus
from app.services.refresh_tokens import RefreshTokenService
from app.services.upkeep import UpkeepService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.users import make_session_token

SYSTEM = Actor.system(Via.JOB)


async def count(session: AsyncSession, table: str) -> int:
    return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.mark.parametrize("table", ["staff_sessions", "refresh_tokens", "idempotency_keys"])
async def test_what_has_long_expired_is_removed_and_nothing_else(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    settings: Settings,
    table: str,
) -> None:
    await make_session_token(session, staff)
    await RefreshTokenService(session, actor_for(staff), settings).open(staff, None)
    headers = await key_headers(session, staff) | {"Idempotency-Key": "one"}
    await client.post("/api/v1/agents", json={"name": "bot", "model": "m"}, headers=headers)
    upkeep = UpkeepService(session, SYSTEM)
    assert await upkeep.remove_expired() == 0
    await session.execute(text(f"UPDATE {table} SET expires_at = now() - interval '31 days'"))
    assert await upkeep.remove_expired() == 1
    assert await count(session, table) == 0


async def test_silent_run_is_stalled_and_revived_by_news(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> None:
    agent = await make_agent(session, actor_for(staff))
    values = {"status": "running", "ended_at": None}
    silent = await make_execution(session, actor_for(staff), agent, **values)
    busy = await make_execution(session, actor_for(staff), agent, **values)
    await session.execute(
        text("UPDATE executions SET updated_at = now() - interval '2 hours' WHERE id = :id"),
        {"id": silent.id},
    )
    assert await UpkeepService(session, SYSTEM).mark_stalled(timedelta(hours=1)) == 1
    assert (silent.status, busy.status) == (ExecutionStatus.STALLED, ExecutionStatus.RUNNING)
    headers = await key_headers(session, staff)
    step = {"spans": [{"name": "late", "kind": "tool"}]}
    answer = await client.patch(f"/api/v1/executions/{silent.id}", json=step, headers=headers)
    assert answer.json()["status"] == "running"
