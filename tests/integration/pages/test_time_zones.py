"""Everybody reads moments in the zone that they chose; machines read UTC."""

import httpx2
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from tests.factories.agents import make_agent
from tests.factories.executions import make_execution


async def test_moments_are_shown_in_the_zone_that_somebody_chose(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    await make_execution(session, actor, agent, started_at="2026-11-02T21:30:00Z", ended_at=None)
    answer = await web.post("/account/time-zone", data={"time_zone": "Asia/Kolkata"})
    assert answer.headers["location"].startswith("/account?notice=time_zone")
    shown = "2026-11-03 03:00:00 UTC+05:30"
    assert f'title="{shown}"' in (await web.get("/executions")).text
    assert shown in (await web.get("/admin/executions/list")).text
    assert 'value="Asia/Kolkata"' in (await web.get("/account")).text
    for day, runs in (("2026-11-02", 0), ("2026-11-03", 1)):
        listed = (await web.get(f"/executions?since={day}&until={day}")).text
        assert listed.count(f'title="{shown}"') == runs, "a day is the day there, too"
    told = (await web.get(f"/api/v1/executions?agent_id={agent.id}")).json()["items"][0]
    assert told["started_at"] == "2026-11-02T21:30:00Z", "the API stays in UTC"


async def test_zone_that_is_none_is_refused_beside_its_field(web: httpx2.AsyncClient) -> None:
    answer = await web.post("/account/time-zone", data={"time_zone": "Mars/<b>"})
    assert answer.status_code == 422
    page = LexborHTMLParser(answer.text)
    problem = page.css_first("#f-time_zone-e")
    assert problem is not None
    assert "choose one of the list" in problem.text()
    field = page.css_first("#f-time_zone")
    assert field is not None
    assert field.attributes["value"] == "Mars/<b>"


async def test_field_of_any_name_is_refused_as_what_it_is(web: httpx2.AsyncClient) -> None:
    answer = await web.post("/account/time-zone", data={"time_zone": "UTC", "100%(x)s": "1"})
    assert answer.status_code == 422
    assert "100%(x)s: " in answer.text
