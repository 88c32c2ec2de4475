"""Statistics: exact sums over what the asker may see."""

from decimal import Decimal

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import User
from tests.conftest import QueryCounter, actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import key_headers
from tests.factories.executions import make_execution
from tests.factories.users import make_user
from tests.integration.envelope import assert_envelope

STATS = "/api/v1/stats/executions"
RANGE = "since=2026-11-01T00:00:00Z&until=2026-11-03T00:00:00Z"


@pytest.fixture
async def runs(session: AsyncSession, actor: Actor) -> None:
    """Two agents: 4 runs of 1, 2, 3 and 4 seconds, and a failed one a day later."""
    first = await make_agent(session, actor, name="first-bot")
    second = await make_agent(session, actor, name="second-bot")
    for seconds in (1, 2, 3, 4):
        ended = f"2026-11-01T10:00:0{seconds}Z"
        cost = Decimal("0.5") if seconds < 3 else None
        await make_execution(
            session, actor, first, spans=[], ended_at=ended, cost=cost, input_tokens=10
        )
    await make_execution(
        session,
        actor,
        second,
        spans=[],
        status="failed",
        model="gpt-4o",
        started_at="2026-11-02T11:30:00Z",
        ended_at="2026-11-02T11:30:10Z",
    )


@pytest.mark.usefixtures("runs")
async def test_sums_are_exact_and_unknown_cost_is_counted_apart(api: httpx2.AsyncClient) -> None:
    total = (await api.get(f"{STATS}?{RANGE}")).json()["total"]
    assert (total["runs"], total["failed"], total["unpriced"]) == (5, 1, 3)
    assert Decimal(total["cost"]) == 1
    assert (total["input_tokens"], total["output_tokens"]) == (40, None)
    assert (total["p50_ms"], total["p99_ms"]) == (3000, 9760)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("status", [("succeeded", 4), ("failed", 1)]),
        ("model", [(None, 4), ("gpt-4o", 1)]),
        ("agent", [("first-bot", 4), ("second-bot", 1)]),
        ("day", [("2026-11-01T00:00:00Z", 4), ("2026-11-02T00:00:00Z", 1)]),
        ("hour", [("2026-11-01T10:00:00Z", 4), ("2026-11-02T11:00:00Z", 1)]),
    ],
)
async def test_runs_are_grouped(
    api: httpx2.AsyncClient, by: str, expected: list[tuple[str | None, int]]
) -> None:
    groups = (await api.get(f"{STATS}?group_by={by}&{RANGE}")).json()["groups"]
    assert [(group["key"], group["runs"]) for group in groups] == expected


@pytest.mark.usefixtures("runs")
async def test_member_sums_only_their_own(
    client: httpx2.AsyncClient, session: AsyncSession
) -> None:
    member = await make_user(session, Role.MEMBER)
    headers = await key_headers(session, member)
    assert (await client.get(f"{STATS}?{RANGE}", headers=headers)).json()["total"]["runs"] == 0
    own = actor_for(member)
    await make_execution(session, own, await make_agent(session, own), spans=[])
    found = (await client.get(f"{STATS}?{RANGE}&group_by=agent", headers=headers)).json()
    assert found["total"]["runs"] == sum(group["runs"] for group in found["groups"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "group_by=cost",
        "since=2026-11-02T00:00:00Z&until=2026-11-01T00:00:00Z",
        "since=2020-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2026-11-01",
        "agent_id=0",
        "nope=1",
    ],
)
async def test_bad_question_is_a_clear_error(api: httpx2.AsyncClient, query: str) -> None:
    assert_envelope(await api.get(f"{STATS}?{query}"), 422, "VALIDATION_ERROR")


async def test_statistics_need_a_fixed_number_of_queries(
    api: httpx2.AsyncClient, session: AsyncSession, staff: User, counted: QueryCounter
) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            agent = await make_agent(session, actor_for(staff))
            await make_execution(session, actor_for(staff), agent)
        await api.get(STATS)
        counted.statements.clear()
        with counted:
            await api.get(f"{STATS}?{RANGE}&group_by=agent")
        counts.append(counted.count)
    assert counts[0] == counts[1]
