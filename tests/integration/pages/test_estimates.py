"""Percentiles that are estimates say so, and how far off they may be; exact ones say nothing."""

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.models import Agent
from app.schemas.statistics import FiguresRead, StatisticsRead
from app.services import statistics
from app.services.latencies import MOST_OFF_PERCENT, STEPS
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    """With runs over a few hours."""
    agent = await make_agent(session, actor)
    for hour in (10, 12, 15):
        start, end = (f"2026-11-02T{hour}:00:{second:02}Z" for second in (0, hour))
        await make_execution(session, actor, agent, started_at=start, ended_at=end)
    return agent


async def note_on(web: httpx2.AsyncClient, path: str) -> str:
    page = LexborHTMLParser((await web.get(path)).text)
    found = page.css_first(".estimates")
    return "" if found is None else " ".join(found.text().split())


@pytest.mark.parametrize("path", ["/?range=all", "/agents/{}"])
async def test_page_says_that_latencies_are_estimates_where_they_are(
    web: httpx2.AsyncClient, agent: Agent, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    path = path.format(agent.id)
    assert await note_on(web, path) == ""
    monkeypatch.setattr(statistics, "EXACT_UP_TO", 2)
    note = await note_on(web, path)
    assert "p50 and p95 are estimates: at most 3.2 % above or below the true values" in note


def test_bound_is_the_same_wherever_it_is_told() -> None:
    assert 100 / (2 * STEPS) <= MOST_OFF_PERCENT < 100 / (2 * STEPS) + 0.1
    bound = f"{MOST_OFF_PERCENT:g} %"
    told = [FiguresRead.model_fields[name].description for name in ("p50_ms", "p95_ms", "p99_ms")]
    told.append(StatisticsRead.model_fields["latencies_are_exact"].description)
    assert all(text and bound in text for text in told)
