"""Rows are ticked in a list, tried dry, changed and put back, without any script."""

import re

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.models import Agent, User
from tests.conftest import QueryCounter, client_of
from tests.factories.agents import make_agent
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.clients import log_in
from tests.factories.tools import make_tool
from tests.jobs import work_off


async def tags(session: AsyncSession) -> list[list[str]]:
    session.expire_all()
    return list(await session.scalars(select(Agent.tags).order_by(Agent.id)))


async def test_ticked_rows_are_tagged_and_the_tag_is_taken_back(
    app: FastAPI, web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    ids = [(await make_agent(session, actor, name=f"agent-{n}")).id for n in range(3)]
    page = (await web.get("/agents")).text
    assert page.count('name="ids"') == 3
    assert 'aria-label="Select: agent-0"' in page
    form = {"resource": "agents", "action": "add_tag", "ids": [str(ids[0]), str(ids[1])]}
    asked = await web.post("/bulk-changes", data=form)
    assert "Tag to add" in asked.text
    refused = await web.post("/bulk-changes", data=form | {"value": "x" * 65})
    assert refused.status_code == 422
    assert "at most 64" in refused.text
    tried = await web.post("/bulk-changes", data=form | {"value": "vip"})
    review = tried.headers["location"]
    shown = (await web.get(review)).text
    assert "Tag 2 agents: vip?" in shown
    assert await tags(session) == [[], [], []]
    await web.post(f"{review}/start", data={"note": "Agreed."})
    assert "Waiting for a worker" in (await web.get(review)).text
    await work_off(app)
    assert await tags(session) == [["vip"], ["vip"], []]
    result = (await web.get(review)).text
    assert "2 changed" in result
    job = re.search(r'href="(/jobs/\d+)"', result)
    assert job is not None
    assert f'action="{review}/undo"' in (await web.get(job[1])).text
    undo = (await web.post(f"{review}/undo")).headers["location"]
    assert "Undo the change of 2 agents?" in (await web.get(undo)).text
    await web.post(f"{undo}/start", data={})
    await work_off(app)
    assert await tags(session) == [[], [], []]
    assert "Taken back by" in (await web.get(review)).text


async def test_all_that_match_are_counted_and_picked_by_the_filter(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    for number in range(52):
        await make_tool(session, actor, name=f"tool-{number}", kind="mcp")
    await make_tool(session, actor)
    page = (await web.get("/tools?kind=mcp")).text
    chosen = '{"kind":"mcp"}'
    assert "all that match, on every page" in page
    query = {"resource": "tools", "filter": chosen}
    assert "all 52 that match" in (await web.get("/bulk-changes/matching", params=query)).text
    form = {"resource": "tools", "action": "pause", "rows": "matching", "filter": chosen}
    tried = await web.post("/bulk-changes", data=form)
    assert "Pause 52 tools?" in (await web.get(tried.headers["location"])).text


async def test_trash_is_emptied_back_by_ticking(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    await web.post(f"/agents/{agent.id}/delete")
    assert f'value="{agent.id}"' in (await web.get("/trash?resource=agents")).text
    form = {"resource": "agents", "action": "restore", "ids": str(agent.id)}
    tried = await web.post("/bulk-changes", data=form)
    assert "Restore 1 agent?" in (await web.get(tried.headers["location"])).text


@pytest.mark.parametrize(
    "form",
    [
        {"resource": "agents", "action": "pause"},
        {"action": "add_tag", "ids": "1", "value": "x"},
        {"resource": "users", "action": "pause", "ids": "1"},
        {"resource": "agents", "action": "nonsense", "ids": "1"},
        {"resource": "agents", "action": "pause", "rows": "matching", "filter": "[]"},
        {"resource": "tools", "action": "add_tag", "ids": "1", "value": "x"},
    ],
)
async def test_what_no_list_sends_is_refused_in_words(
    web: httpx2.AsyncClient, form: dict[str, str]
) -> None:
    answer = await web.post("/bulk-changes", data=form)
    assert answer.status_code in {400, 422}
    form.pop("value", None)  # it is asked for, where it is missing
    answer = await web.post("/bulk-changes", data=form)
    assert answer.status_code in {200, 400, 422}


async def test_viewer_is_offered_nothing_to_tick(
    app: FastAPI, session: AsyncSession, settings: Settings, viewer: User, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    async with client_of(app) as client:
        await log_in(client, session, settings, viewer)
        page = (await client.get("/agents")).text
    assert agent.name in page
    assert 'name="ids"' not in page
    assert 'id="selection"' not in page


async def test_page_needs_the_same_queries_for_one_row_and_for_many(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor, counted: QueryCounter
) -> None:
    counts = []
    for many in (1, 12):
        ids = [(await make_agent(session, actor)).id for _ in range(many)]
        change = await make_bulk_change(session, actor, ids=ids)
        counted.statements.clear()
        with counted:
            assert (await web.get(f"/bulk-changes/{change.id}")).status_code == 200
        counts.append(counted.count)
    assert counts[0] == counts[1]
