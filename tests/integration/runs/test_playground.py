"""The playground runs what is typed, shows what came of it, and keeps what was typed."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.core.permissions import Role
from tests.conftest import client_of
from tests.factories.clients import log_in
from tests.factories.users import make_user
from tests.provider import Provider, calls, drips, refuses, says
from tests.stage import Json, Stage, events_in

PROMPT = "Help {{customer}}."


@asynccontextmanager
async def browser(stage: Stage, role: Role = Role.STAFF) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(stage.app) as client:
        async with stage.database.unit_of_work() as session:
            await log_in(client, session, stage.settings, await make_user(session, role))
        yield client


@pytest.fixture
async def web(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(stage) as client:
        yield client


def path_of(stage: Stage) -> str:
    return f"/agents/{stage.agent.id}/playground"


def side(key: str = "left", **values: str) -> dict[str, str]:
    """The fields of a side that runs the first revision as it is."""
    fields = {
        "revision": "",
        "base": "1",
        "model_name": "gpt-4o",
        "max_tokens": "1000",
        "system_prompt": "Be kind.",
        "params": "{}",
    }
    return {f"{key}.{name}": value for name, value in (fields | values).items()}


def form(*sides: dict[str, str], say: str = "Where is my bag?", **values: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {"role": ["user"], "content": [say]} | values
    for one in sides or (side(),):
        merged |= one
    return merged


async def shown(web: httpx2.AsyncClient, response: httpx2.Response) -> str:
    """The page that a browser is sent on to."""
    assert response.status_code == 303, response.text
    return html.unescape((await web.get(response.headers["location"])).text)


async def runs_of(stage: Stage) -> list[Json]:
    """Newest first."""
    found: list[Json] = (await stage.api.get("/api/v1/executions")).json()["items"]
    return found


async def test_form_waits_and_shows_what_came_of_it(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(says("It is ", "in Rome."))
    page = await shown(web, await web.post(path_of(stage), data=form()))
    for text in ("Succeeded", "It is in Rome.", "100 / 20", "$0.0004", "gpt-4o · r1"):
        assert text in page, text
    run = (await runs_of(stage))[0]
    assert f'href="/executions/{run["id"]}"' in page
    assert "Where is my bag?" in page
    assert (run["source"], run["status"]) == ("playground", "succeeded")


async def test_two_sides_are_run_beside_each_other(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    data = form(side(), side("right", model_name="gpt-4o-mini", params='{"temperature": 0}'))
    page = await shown(web, await web.post(path_of(stage), data=data))
    assert page.count("Succeeded") == 2
    assert {request["model"] for request in provider.requests} == {"gpt-4o", "gpt-4o-mini"}
    changed = next(r for r in provider.requests if r["model"] == "gpt-4o-mini")
    assert changed["temperature"] == 0
    assert "gpt-4o-mini · r1, changed" in page
    tried = next(r for r in await runs_of(stage) if r["model"] == "gpt-4o-mini")
    details = (await stage.read(tried["id"]))["metadata"]["run"]
    expected = {"model_name": "gpt-4o-mini", "params": {"temperature": 0}}
    assert details == {"overrides": expected, "revision": 1}
    assert (await stage.read(tried["id"]))["revision"] is None


async def test_side_is_streamed_to_who_asks_for_events(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(says("It is ", "in Rome."))
    data = form(side(), side("right", model_name="other")) | {"side": "right"}
    response = await web.post(path_of(stage), data=data, headers={"Accept": "text/event-stream"})
    names = [name for name, _ in events_in(response.text)]
    assert names == ["started", "delta", "delta", "execution"]
    assert [r["model"] for r in provider.requests] == ["other"]
    run_id = response.headers["location"].rpartition("/")[2]
    fragment = (await web.get(f"{path_of(stage)}/runs/{run_id}")).text
    assert "It is in Rome." in fragment
    assert "<html" not in fragment


async def test_prompts_variables_are_asked_for_and_kept(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    await stage.new_agent(system_prompt=PROMPT)
    assert 'name="variable.customer"' in (await web.get(path_of(stage))).text
    without = await web.post(path_of(stage), data=form(side(system_prompt=PROMPT)))
    assert without.status_code == 422
    assert "no value for: customer" in without.text
    data = form(side(system_prompt=PROMPT)) | {"variable.customer": "Ada <3"}
    page = (await web.post(path_of(stage), data=data)).headers["location"]
    assert provider.requests[0]["messages"][0]["content"] == "Help Ada <3."
    assert 'value="Ada &lt;3"' in (await web.get(page)).text


async def test_chosen_revision_is_run_and_filled_in(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    change = {"system_prompt": "Second.", "model": "gpt-4o-mini"}
    await stage.api.patch(f"/api/v1/agents/{stage.agent.id}", json=change)
    live = side(base="2", model_name="gpt-4o-mini", system_prompt="Second.")
    chosen = form(live | {"left.revision": "1"})
    await web.post(path_of(stage), data=chosen)
    assert provider.requests[0]["model"] == "gpt-4o"
    assert (await stage.read((await runs_of(stage))[0]["id"]))["revision"] == 1
    redrawn = await web.post(path_of(stage), data=chosen | {"redraw": "left.revision"})
    assert 'value="gpt-4o"' in redrawn.text
    assert "Be kind." in redrawn.text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"redraw": "compare"},
        {"redraw": "nonsense"},
        {"redraw": "left.revision", "left.revision": "x"},
        {"right.base": "1"},
        {"side": "right"},
        {"left.base": "999999999999999999999"},
        {"left.base": "²"},
        {"role": ["user"], "content": []},
    ],
)
async def test_form_that_no_page_sends_is_answered_all_the_same(
    stage: Stage, web: httpx2.AsyncClient, data: Json
) -> None:
    assert (await web.post(path_of(stage), data=data)).status_code in {200, 422}
    assert (await web.get(f"{path_of(stage)}?run=x&run=9999999999999999999")).status_code == 200


@pytest.mark.parametrize(
    ("change", "marks"),
    [
        ("compare", ['name="right.model_name"', "Run both"]),
        ("message", ['id="f-content-2"']),
        ("single", ['name="left.model_name"']),
    ],
)
async def test_buttons_redraw_the_form_and_keep_what_was_typed(
    stage: Stage, web: httpx2.AsyncClient, change: str, marks: list[str]
) -> None:
    data = form(side(model_name="typed"), say="Typed too") | {"redraw": change}
    page = await web.post(path_of(stage), data=data)
    assert page.status_code == 200
    for mark in [*marks, "Typed too", 'value="typed"']:
        assert mark in page.text, mark
    assert await runs_of(stage) == []


@pytest.mark.parametrize(
    ("typed", "control"),
    [
        ({"left.max_tokens": "7"}, "f-left.max_tokens-e"),
        ({"left.max_tokens": "many"}, "f-left.max_tokens-e"),
        ({"left.params": "{broken"}, "f-left.params-e"),
        ({"left.params": "[]"}, "f-left.params-e"),
        ({"left.model_name": " "}, "f-left.model_name-e"),
        ({"left.revision": "999"}, "r999"),
        ({"left.revision": "x"}, "f-left.revision-e"),
        ({"content": [" "]}, "f-messages-e"),
        ({"content": ["a\x00b"]}, "f-messages-e"),
    ],
)
async def test_what_is_not_valid_is_said_beside_it_and_runs_nothing(
    stage: Stage, web: httpx2.AsyncClient, typed: Json, control: str
) -> None:
    response = await web.post(path_of(stage), data=form(content=["Kept"]) | typed)
    assert response.status_code == 422
    if control != "r999":
        assert f'id="{control}"' in response.text
    assert await runs_of(stage) == []


async def test_side_that_is_not_valid_keeps_the_other_from_running(
    stage: Stage, web: httpx2.AsyncClient
) -> None:
    data = form(side(), side("right", max_tokens="7"))
    assert (await web.post(path_of(stage), data=data)).status_code == 422
    assert await runs_of(stage) == []


async def test_tool_calls_are_answered_by_hand(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    await stage.new_agent({"name": "find_bag"})
    provider.will(calls(("find_bag", {"city": "Rome"}), text="Let me see."), says("In Rome."))
    page = await shown(web, await web.post(path_of(stage), data=form()))
    assert "Waits for results" in page
    assert 'name="result.call_1"' in page
    run = (await runs_of(stage))[0]
    answered = await web.post(
        f"{path_of(stage)}/runs/{run['id']}", data={"result.call_1": '{"belt": 7}'}
    )
    page = await shown(web, answered)
    assert "In Rome." in page
    assert provider.requests[1]["messages"][-1]["content"] == '{"belt": 7}'
    again = await web.post(f"{path_of(stage)}/runs/{run['id']}", data={"result.call_1": "x"})
    assert again.status_code == 422


async def test_conversation_goes_on_with_the_answer(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(says("In Rome."))
    page = await shown(web, await web.post(path_of(stage), data=form()))
    link = re.search(r'href="([^"]*continue=1)"', page)
    assert link
    page = (await web.get(link[1])).text
    said = re.findall(r"<textarea[^>]*name=\"content\"[^>]*>\n([^<]*)</textarea>", page)
    assert said == ["Where is my bag?", "In Rome.", ""]


async def test_failed_run_says_why(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(refuses(404))
    page = await shown(web, await web.post(path_of(stage), data=form()))
    assert "Failed" in page
    assert "knows no model called gpt-4o" in page


async def test_cut_off_answer_says_so(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(says("It is in", finish="length"))
    page = await shown(web, await web.post(path_of(stage), data=form()))
    assert "cut off at max tokens" in page


async def test_what_a_model_says_is_text(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    provider.will(says("<script>alert(1)</script>"))
    location = (await web.post(path_of(stage), data=form())).headers["location"]
    assert "<script>alert(1)</script>" not in (await web.get(location)).text


async def test_run_can_be_stopped_from_its_page(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    run = (await stage.ask()).json()
    page = f"/executions/{run['id']}"
    assert f'action="{page}/cancel"' in (await web.get(page)).text
    assert (await web.post(f"{page}/cancel")).status_code == 303
    assert "Cancelled" in (await web.get(page)).text
    provider.will(drips())
    assert (await web.post(f"{page}/cancel")).status_code == 409


async def test_run_that_waits_leads_from_its_page_to_where_it_is_answered(
    stage: Stage, web: httpx2.AsyncClient, provider: Provider
) -> None:
    await stage.new_agent({"name": "find_bag"})
    provider.will(calls(("find_bag", {"city": "Rome"})))
    run = (await stage.stream())[-1][1]
    page = (await web.get(f"/executions/{run['id']}")).text
    assert f"{path_of(stage)}?run={run['id']}" in page
    assert 'name="result.call_1"' in (await web.get(f"{path_of(stage)}?run={run['id']}")).text


async def test_paused_agent_can_still_be_tried_out(stage: Stage, web: httpx2.AsyncClient) -> None:
    await stage.api.patch(f"/api/v1/agents/{stage.agent.id}", json={"is_active": False})
    assert "Succeeded" in await shown(web, await web.post(path_of(stage), data=form()))


async def test_without_a_provider_the_page_says_how_to_connect_one(
    stage: Stage, web: httpx2.AsyncClient
) -> None:
    stage.settings.openai_base_url = None
    page = (await web.get(path_of(stage))).text
    assert "OPENAI_BASE_URL=" in page
    assert 'id="playground"' not in page
    assert (await web.post(path_of(stage), data=form())).status_code == 422


async def test_viewers_neither_see_the_tab_nor_run(stage: Stage, provider: Provider) -> None:
    async with browser(stage, Role.VIEWER) as viewer:
        assert "Playground" not in (await viewer.get(f"/agents/{stage.agent.id}")).text
        assert (await viewer.get(path_of(stage))).status_code == 403
        assert (await viewer.post(path_of(stage), data=form())).status_code == 403
    assert provider.requests == []


async def test_runs_of_other_agents_are_not_shown_here(
    stage: Stage, web: httpx2.AsyncClient
) -> None:
    location = (await web.post(path_of(stage), data=form())).headers["location"]
    query = location.partition("?")[2]
    other = await stage.new_agent(name="other")
    assert "You said" not in (await web.get(f"/agents/{other.id}/playground?{query}")).text
