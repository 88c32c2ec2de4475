"""Lists are narrowed by chips, sorted by their headings, and show the columns that were chosen."""

import re

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.permissions import Role
from app.models import Agent
from app.pages.execution_list import MAX_AGENTS
from app.schemas.agents import AgentUpdate
from app.schemas.feedback import FeedbackCreate
from app.services.agents import AgentService
from app.services.feedback import FeedbackService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution
from tests.factories.users import make_user

SEARCHED = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Source": "form#search"}
PLAIN: dict[str, object] = {"spans": [], "cost": "0.001"}


@pytest.fixture
async def agent(session: AsyncSession, actor: Actor) -> Agent:
    return await make_agent(session, actor, name="airline-support")


async def page_of(web: httpx2.AsyncClient, url: str) -> LexborHTMLParser:
    answer = await web.get(url)
    assert answer.status_code == 200
    return LexborHTMLParser(answer.text)


def chips_in(page: LexborHTMLParser) -> list[str]:
    return [each.text() for each in page.css("#chips .chip.on summary")]


def previews_in(page: LexborHTMLParser) -> list[str]:
    return [each.text() for each in page.css("#results td.clip")]


def run_ids(page: LexborHTMLParser) -> list[int]:
    links = [str(each.attributes["href"]) for each in page.css("#results .row-link")]
    return [int(link.rsplit("/", 1)[1]) for link in links]


async def test_each_filter_in_force_is_one_chip_that_can_be_taken_off(
    web: httpx2.AsyncClient, agent: Agent
) -> None:
    url = f"/executions?agent_id={agent.id}&status=failed&status=stalled&range=24h&min_cost=0.5"
    page = await page_of(web, url + "&status=nonsense&nope=1")
    assert chips_in(page) == [
        "agent: airline-support",
        "status: Failed, Stalled",
        "last 24 hours",
        "cost ≥ $0.5",
    ]
    removing = page.css_first('a[aria-label="Remove the filter last 24 hours"]')
    assert removing is not None
    left = str(removing.attributes["href"])
    assert left == f"/executions?agent_id={agent.id}&status=failed&status=stalled&min_cost=0.5"
    cleared = page.css_first("#chips .clear")
    assert cleared is not None
    assert cleared.attributes["href"] == "/executions"
    # What the chips' own forms keep beside what is chosen in them.
    kept = page.css("#filter-status form input[type=hidden]")
    assert {each.attributes["name"] for each in kept} == {"agent_id", "range", "min_cost"}


async def test_runs_are_found_by_what_they_were_like(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    plain = await make_execution(session, actor, agent, **PLAIN)
    dear = await make_execution(session, actor, agent, spans=[], cost="2.5", tags=["vip"])
    failing = await make_execution(session, actor, agent)
    rated = await make_execution(session, actor, agent, **PLAIN, session_id="c-1")
    await FeedbackService(session, actor).give(rated, FeedbackCreate(name="rating", value=1))
    await AgentService(session, actor).update(agent.id, AgentUpdate(system_prompt="New."))
    newer = await make_execution(session, actor, agent, **PLAIN, ended_at="2026-11-01T10:01:00Z")
    for query, runs in {
        "min_cost=0.5": [dear],
        "min_latency_ms=30000": [newer],
        "has_errors=true": [failing],
        "has_feedback=true": [rated],
        "session_id=c-1": [rated],
        "tag=vip": [dear],
        f"agent_id={agent.id}&revision=2": [newer],
        f"agent_id={agent.id}.0&revision=2": [newer],
        "agent=airline-support&until=2026-11-01&has_errors=false": [newer, rated, dear, plain],
        "agent=nobody": [],
        "since=2026-11-02": [],
    }.items():
        page = await page_of(web, f"/executions?{query}")
        assert run_ids(page) == [run.id for run in runs], query


async def test_headings_sort_both_ways_and_pages_follow(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    for number in range(3):
        started = f"2026-11-01T1{number}:00:00Z"
        await make_execution(session, actor, agent, started_at=started, ended_at=None, spans=[])
    page = await page_of(web, "/executions?status=succeeded")
    newest_first = run_ids(page)
    head = page.css_first("th[aria-sort]")
    assert head is not None
    assert head.attributes["aria-sort"] == "descending"
    link = head.css_first("a")
    assert link is not None
    turned = await page_of(web, str(link.attributes["href"]))
    assert run_ids(turned) == newest_first[::-1]
    for sort in ("name", "-name", "created_at", "-updated_at"):
        agents = await page_of(web, f"/agents?sort={sort}&cols=created")
        shown = agents.css_first("th[aria-sort]")
        assert shown is None if sort == "-updated_at" else shown is not None
    assert (await web.get("/agents?sort=system_prompt")).status_code == 200


async def test_columns_are_those_that_were_chosen(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    await make_execution(session, actor, agent, tags=["vip"])

    def heads(page: LexborHTMLParser) -> list[str]:
        return [each.text(strip=True) for each in page.css("#results th:not(.check-cell)")]

    def offered(page: LexborHTMLParser) -> list[str]:
        return [" ".join(each.text().split()) for each in page.css("#columns label")]

    assert "Tags" not in heads(await page_of(web, "/executions"))
    chosen = await page_of(web, "/executions?cols=tags&cols=status,trace_id&cols=nonsense")
    assert heads(chosen) == ["Started", "Status", "Tags", "Trace id"]
    other = actor_for(await make_user(session, Role.STAFF))
    theirs = await make_agent(session, other, name="refund-triage")
    await make_execution(session, other, theirs)
    mixed = await page_of(web, "/executions")
    assert "Owner" in heads(mixed), "runs of two people are mixed"
    assert "Owner in wide windows" in offered(mixed), "narrower ones leave it out, ticked as it is"
    assert "Owner" in offered(await page_of(web, "/executions?cols=owner"))


@pytest.mark.usefixtures("agent")
async def test_typed_search_answers_with_the_links_around_the_rows(
    web: httpx2.AsyncClient,
) -> None:
    found = (await web.get("/agents?q=airline", headers=SEARCHED)).text
    assert '<hx-partial hx-target="#chips"' in found
    assert "q=airline&amp;is_active=true" in found
    live = (await web.get("/agents?q=airline", headers=SEARCHED | {"HX-Source": "x"})).text
    assert "hx-partial" not in live


async def test_of_many_agents_some_are_offered_and_the_others_found(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agents = [await make_agent(session, actor, name=f"bot-{n:03}") for n in range(MAX_AGENTS + 2)]
    last = agents[-1]
    page = await page_of(web, f"/executions?agent_id={last.id}")
    offered = page.css("#choices-agent_id input")
    assert len(offered) == MAX_AGENTS + 1
    assert offered[0].attributes["value"] == str(last.id), "what is chosen comes first"
    found = (await web.get("/executions/agents?agent=bot-10")).text
    assert re.findall(r"bot-\d+", found) == ["bot-100", "bot-101"]


async def test_json_lists_take_the_same_filters(
    api: httpx2.AsyncClient, session: AsyncSession, actor: Actor, agent: Agent
) -> None:
    run = await make_execution(session, actor, agent, cost="3", spans=[])
    await FeedbackService(session, actor).give(run, FeedbackCreate(name="rating", value=1))
    asked = f"min_cost=1&has_feedback=true&agent={agent.name}&revision=1&has_errors=false"
    items = (await api.get(f"/api/v1/executions?{asked}")).json()["items"]
    assert [item["id"] for item in items] == [run.id]
    mine = (await api.get(f"/api/v1/agents?user_id={agent.user_id}")).json()["items"]
    assert [item["id"] for item in mine] == [agent.id]
