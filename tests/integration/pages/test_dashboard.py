"""The dashboard over a chosen time, and the last day of each agent in the list."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Permission, Role
from app.models import Agent, User
from app.schemas.api_keys import ApiKeyCreate
from app.services.api_keys import ApiKeyService
from app.services.execution_stats import ExecutionStatsService
from app.services.recent_runs import last_day_of
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.clients import log_in
from tests.factories.executions import make_execution
from tests.factories.users import make_user

FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor)


async def run(
    session: AsyncSession, actor: Actor, agent: Agent, hours_ago: float, **values: Any
) -> None:
    start = datetime.now(UTC) - timedelta(hours=hours_ago)
    times = {
        "started_at": start.isoformat(),
        "ended_at": (start + timedelta(seconds=2)).isoformat(),
    }
    await make_execution(session, actor, agent, spans=[], **times | values)


async def page_of(web: httpx2.AsyncClient, path: str, **headers: str) -> LexborHTMLParser:
    answer = await web.get(path, headers=headers)
    assert answer.status_code == 200
    return LexborHTMLParser(answer.text)


def words(page: LexborHTMLParser, selector: str) -> list[str]:
    return [" ".join(found.text().split()) for found in page.css(selector)]


async def test_figures_are_compared_with_the_time_before(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    for hours_ago in (1, 2, 3, 30):
        await run(session, actor, agent, hours_ago)
    await run(session, actor, agent, 4, status="failed")
    page = await page_of(web, "/")
    cards = words(page, ".kpi")
    assert cards[0].startswith("Executions 4 +300 % vs the 24 h before")
    assert cards[1].startswith("Failed 25.0 % +25.0 points vs the 24 h before 1 of 4 runs")
    assert words(page, "#numbers-runs tbody .num").count("1") == 5
    assert page.css_first(".plot.still svg[role=img] .slot title") is not None
    [row] = words(page, "table.rows tbody tr:has(a[href*='status=failed'])")
    assert row == f"{agent.name} 125.0 %", "one failed run, of which rate"


async def test_from_and_to_are_times_of_the_chosen_zone(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await web.post("/account/time-zone", data={"time_zone": "Asia/Kolkata"})
    for start in ("2026-11-02T18:00:00Z", "2026-11-02T18:40:00Z", "2026-11-03T18:20:00Z"):
        await make_execution(session, actor, agent, started_at=start, ended_at=None)
    day = await page_of(web, "/?since=2026-11-03&until=2026-11-03")
    assert words(day, ".kpi")[0].startswith("Executions 2 ")
    assert words(day, ".head .sub") == ["3 Nov 2026, all agents · times in Asia/Kolkata"]
    field = day.css_first("input[name=since]")
    assert field is not None
    assert field.attributes["value"] == "2026-11-03T00:00"
    exact = await page_of(web, "/?since=2026-11-03T00:00&until=2026-11-02T18:45Z")
    assert words(exact, ".kpi")[0].startswith("Executions 1 ")


async def test_one_agent_is_shown_alone(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await run(session, actor, agent, 1)
    await run(session, actor, await make_agent(session, actor), 1)
    page = await page_of(web, f"/?agent_id={agent.id}")
    assert words(page, ".kpi")[0].startswith("Executions 1 ")
    assert "Busiest agents" not in words(page, "h2")
    links = [link.attributes["href"] or "" for link in page.css("nav[aria-label='Time range'] a")]
    assert all(f"agent_id={agent.id}" in href for href in links)
    assert "No runs of this agent" in (await web.get(f"/?agent_id={agent.id + 99}")).text


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-11-20&until=2026-11-19",
        "since=never",
        "since=9999-12-31&until=9999-12-31",
        "since=0001-01-01",
        "since=2026-11-01T00:00%2B99:00",
        "since=%00",
    ],
)
async def test_span_that_is_none_is_said_and_the_usual_one_shown(
    web: httpx2.AsyncClient, query: str
) -> None:
    page = await page_of(web, f"/?{query}")
    [note] = words(page, ".note.warn")
    assert "the later one last" in note
    assert "last 24 hours" in note


@pytest.mark.parametrize("chosen", ["1h", "7d", "30d", "90d", "all", "nonsense"])
async def test_refresh_gets_the_figures_alone_for_each_range(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent, chosen: str
) -> None:
    await run(session, actor, agent, 0.2)
    page = await page_of(web, f"/?range={chosen}", **FRAGMENT)
    assert page.css_first("#figures .kpi") is not None
    assert page.css_first("#latest-runs") is None


async def test_last_day_of_agents_is_that_of_the_rows_and_of_the_sums(
    session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    for hours_ago in (0.1, 5, 5.1, 23.9, 24.1):
        await run(session, actor, agent, hours_ago)
    await run(session, actor, agent, 5.2, status="failed")
    other = await make_agent(session, actor)
    from_rows = await last_day_of(session, actor, [agent.id, other.id])
    await ExecutionStatsService(session).sum_changed()
    from_sums = await last_day_of(session, actor, [agent.id, other.id])
    assert from_sums[agent.id].runs == from_rows[agent.id].runs
    assert (from_sums[agent.id].total, from_sums[agent.id].total_failed) == (5, 1)
    assert from_sums[other.id].total == 0
    stranger = actor_for(await make_user(session, Role.MEMBER))
    assert (await last_day_of(session, stranger, [agent.id]))[agent.id].total == 0


async def test_agents_list_draws_the_last_day_and_says_it_in_words(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await run(session, actor, agent, 2)
    await run(session, actor, agent, 2, status="failed")
    page = await page_of(web, "/agents")
    drawn = page.css_first("svg.hours")
    assert drawn is not None
    assert (drawn.attributes["aria-label"] or "").startswith("Last 24 hours: 2 runs, 1 failed;")
    assert page.css_first("svg.hours .bar.bad") is not None


async def test_agent_has_the_charts_of_its_week(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await run(session, actor, agent, 30)
    page = await page_of(web, f"/agents/{agent.id}")
    assert words(page, "figure.chart figcaption") == [
        "Executions: 1 run, 0 failed",
        "Latency: p50 2.0 s, p95 2.0 s",
    ]


async def test_step_of_a_chart_leads_to_its_runs(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await run(session, actor, agent, 0.2)
    page = await page_of(web, "/?range=1h")
    link = page.css_first("#numbers-runs a")
    assert link is not None
    runs = await page_of(web, link.attributes["href"] or "")
    assert len(runs.css("#results tbody tr")) == 1


@pytest.mark.parametrize("path", ["/", "/latest-changes"])
async def test_changes_of_keys_are_told_to_who_manages_keys(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    agent: Agent,
    viewer: User,
    superuser: User,
    path: str,
) -> None:
    data = ApiKeyCreate(name="payroll-robot", scopes=[Permission.AGENTS_READ])
    await ApiKeyService(session, actor_for(superuser)).issue(data)
    for user, told in ((viewer, False), (superuser, True)):
        await log_in(client, session, settings, user)
        page = (await client.get(path)).text
        assert agent.name in page
        assert ("payroll-robot" in page) is told
