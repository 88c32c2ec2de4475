"""The pages as staff see them: whole, in part, with errors, and in conflict."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Role
from tests.conftest import client_of
from tests.factories.agents import make_agent
from tests.factories.clients import log_in
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user

AGENT_FORM = {
    "name": "typed-name",
    "description": "typed description",
    "model_name": "gpt-4o",
    "system_prompt": "",
    "max_tokens": "1000",
    "config": "{}",
    "internal_notes": "",
    "is_active": "true",
}
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(params=[Role.VIEWER, Role.STAFF, Role.SUPERUSER])
async def anyone(
    request: pytest.FixtureRequest, app: FastAPI, session: AsyncSession, settings: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of each role in turn."""
    async with client_of(app) as client:
        await log_in(client, session, settings, await make_user(session, request.param))
        yield client


async def paths(session: AsyncSession, actor: Actor) -> list[str]:
    tool = await make_tool(session, actor, name="find-bag")
    agent = await make_agent(session, actor, name="support-bot", tool_ids=[tool.id])
    run = await make_execution(session, actor, agent)
    return [
        "/",
        "/?range=all",
        "/account",
        "/agents",
        f"/agents/{agent.id}",
        f"/agents/{agent.id}/revisions",
        "/tools",
        f"/tools/{tool.id}",
        "/executions",
        f"/executions/{run.id}",
        f"/executions/{run.id}?span=00000000000000b1",
        f"/executions/new-count?after={run.id}",
        "/keys",
        "/trash",
        "/trash?resource=tools",
        "/trash?resource=executions",
        "/search",
        "/search?q=support",
    ]


async def test_each_page_opens_for_each_role_with_and_without_rows(
    anyone: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    for path in ("/", "/agents", "/tools", "/executions", "/keys", "/trash", "/search?q=x"):
        assert (await anyone.get(path)).status_code == 200, path
    for path in await paths(session, actor):
        response = await anyone.get(path)
        assert response.status_code == 200, path
        assert response.headers["content-type"].startswith("text/html"), path


async def test_page_says_what_is_in_it(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, name="support-bot", description="<b>bold</b>")
    run = await make_execution(session, actor, agent)
    shown = (await web.get(f"/agents/{agent.id}")).text
    assert "support-bot" in shown
    assert "<b>bold</b>" not in shown
    trace = (await web.get(f"/executions/{run.id}")).text
    for words in (
        "Where is my bag?",
        "It is in Rome.",
        "find_bag",
        "bag not found",
        "by the prices of that day",
    ):
        assert words in trace


async def test_htmx_gets_the_part_and_a_browser_the_whole(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    await paths(session, actor)
    for path in ("/agents", "/tools", "/executions"):
        part = await web.get(path, headers=PART)
        assert part.status_code == 200
        assert "<html" not in part.text
        assert "HX-Request" in part.headers["vary"]
        restored = await web.get(path, headers={"HX-Request": "true", "HX-Request-Type": "full"})
        assert "<html" in restored.text


@pytest.mark.parametrize(
    "query",
    ["model=" + "x" * 201, "is_active=perhaps", "page=x", "nope=1", "q=" + "x" * 999, "q=%00"],
)
async def test_link_with_a_bad_filter_still_opens(web: httpx2.AsyncClient, query: str) -> None:
    for path in ("/agents", "/tools", "/executions"):
        assert (await web.get(f"{path}?{query}")).status_code == 200, path


@pytest.mark.parametrize("path", ["/agents/999999", "/tools/999999", "/executions/999999", "/no"])
async def test_missing_page_says_so(web: httpx2.AsyncClient, path: str) -> None:
    response = await web.get(path)
    assert response.status_code == 404
    assert "There is nothing here" in response.text
    toast = await web.get(path, headers=PART)
    assert toast.status_code == 404
    assert "<html" not in toast.text


async def test_staff_find_their_way_from_an_address_that_nothing_answers(
    web: httpx2.AsyncClient, app: FastAPI
) -> None:
    wanted = {"Accept": "text/html"}
    assert 'id="sidebar"' in (await web.get("/no", headers=wanted)).text
    async with client_of(app) as stranger:
        page = await stranger.get("/no", headers=wanted)
    assert page.status_code == 404
    assert 'id="sidebar"' not in page.text


async def test_what_was_refused_when_sent_leads_back_to_what_was_typed(
    web: httpx2.AsyncClient,
) -> None:
    page = await web.post("/agents/999999/delete")
    assert page.status_code == 404
    assert "data-back" in page.text


@pytest.mark.parametrize("path", ["/agents/x", "/agents/0", f"/tools/{2**63}", "/keys/x/revoke"])
async def test_bad_id_in_a_page_path_is_no_crash(web: httpx2.AsyncClient, path: str) -> None:
    assert (await web.get(path)).status_code in {404, 405, 422}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "taken"}, "name"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"system_prompt": "y" * 1001}, "system_prompt"),
        ({"config": "{not json"}, "config"),
        ({"config": "[1]"}, "config"),
        ({"config": "[" * 5000}, "config"),
        ({"description": "a\x00b"}, "description"),
        ({"tool_ids": "999999"}, "tool_ids"),
    ],
)
@pytest.mark.parametrize("edit", [False, True])
async def test_refused_form_keeps_what_was_typed_and_says_what_is_wrong_where(
    web: httpx2.AsyncClient,
    session: AsyncSession,
    actor: Actor,
    change: dict[str, str],
    field: str,
    edit: bool,
) -> None:
    await make_agent(session, actor, name="taken")
    await make_tool(session, actor)
    agent = await make_agent(session, actor)
    form = AGENT_FORM | ({"row_version": "1"} if edit else {}) | change
    url = f"/agents/{agent.id}/edit" if edit else "/agents/new"
    response = await web.post(url, data=form)
    assert response.status_code == 422
    page = LexborHTMLParser(response.text)
    error = page.css_first(f"#f-{field}-e")
    assert error is not None
    assert error.text(strip=True)
    typed = page.css_first("#f-name")
    assert typed is not None
    assert typed.attributes["value"] == form["name"]
    assert "typed description" in response.text or field == "description"


async def test_refused_key_and_tool_forms_keep_what_was_typed(web: httpx2.AsyncClient) -> None:
    tool = await web.post("/tools/new", data={"name": "typed-tool", "parameters": "{oops"})
    assert tool.status_code == 422
    assert "typed-tool" in tool.text
    assert "{oops" in tool.text
    key = await web.post("/keys/new", data={"name": "typed-key"})
    assert key.status_code == 422
    assert "typed-key" in key.text


async def test_form_without_its_version_is_refused(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    for version in ("", "x", "9" * 30):
        form = AGENT_FORM | {"row_version": version}
        response = await web.post(f"/agents/{agent.id}/edit", data=form)
        assert response.status_code == 400


async def save_in_between(web: httpx2.AsyncClient, agent_id: int, **values: Any) -> None:
    response = await web.patch(f"/api/v1/agents/{agent_id}", json=values)
    assert response.status_code == 200


async def test_save_over_another_save_shows_all_three_sides(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, system_prompt="Base prompt.", description="same")
    await save_in_between(web, agent.id, system_prompt="Their prompt.")
    form = AGENT_FORM | {"name": agent.name, "description": "same", "row_version": "1"}
    mine = form | {"system_prompt": "My prompt."}
    response = await web.post(f"/agents/{agent.id}/edit", data=mine)
    assert response.status_code == 409
    for words in ("Base prompt.", "Their prompt.", "My prompt.", "both changed"):
        assert words in response.text
    current = await web.get(f"/api/v1/agents/{agent.id}")
    assert current.json()["system_prompt"] == "Their prompt."


async def test_merge_stores_the_chosen_sides(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, system_prompt="Base.", description="old")
    await save_in_between(web, agent.id, system_prompt="Theirs.")
    mine = AGENT_FORM | {"name": agent.name, "description": "mine", "row_version": "1"}
    conflict = await web.post(f"/agents/{agent.id}/edit", data=mine | {"system_prompt": "Base."})
    form = LexborHTMLParser(conflict.text).css_first("form[action$='/merge']")
    assert form is not None
    fields = {
        node.attributes["name"] or "": node.attributes.get("value") or ""
        for node in form.css("input[type=hidden], input[type=radio][checked]")
    }
    for area in form.css("textarea"):
        fields[area.attributes["name"] or ""] = (area.text() or "").removeprefix("\n")
    saved = await web.post(f"/agents/{agent.id}/merge", data=fields)
    assert saved.status_code == 303, saved.text
    merged = (await web.get(f"/api/v1/agents/{agent.id}")).json()
    assert (merged["system_prompt"], merged["description"]) == ("Theirs.", "mine")


async def test_saving_nothing_says_so(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor, system_prompt="", max_tokens=1000)
    form = AGENT_FORM | {"name": agent.name, "description": "", "row_version": "1"}
    response = await web.post(f"/agents/{agent.id}/edit", data=form)
    assert response.headers["location"] == f"/agents/{agent.id}?notice=unchanged"


async def test_trashed_agent_comes_back_by_the_undo_of_its_message(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    gone = await web.post(f"/agents/{agent.id}/delete")
    page = LexborHTMLParser((await web.get(gone.headers["location"])).text)
    undo = page.css_first("[data-toast] form")
    assert undo is not None
    back = await web.post(undo.attributes["action"] or "")
    assert back.headers["location"].startswith(f"/agents/{agent.id}")
    assert (await web.get(f"/agents/{agent.id}")).status_code == 200


async def test_words_that_turn_the_reading_turn_nothing_beside_them(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    turning = "\u202esthgilf skooB"
    agent = await make_agent(session, actor, description=turning)
    page = LexborHTMLParser((await web.get(f"/agents/{agent.id}")).text)
    apart = page.css_first(".head .sub bdi")
    assert apart is not None
    assert apart.text() == turning


async def test_link_puts_no_words_of_its_own_on_a_page(web: httpx2.AsyncClient) -> None:
    shown = await web.get("/agents?notice=You+are+hacked&undo=agents:1")
    assert "hacked" not in shown.text
    assert "data-toast" not in shown.text.split("<main", 1)[-1]


async def test_key_is_shown_once_and_never_kept(
    web: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    form = {"name": "ci", "scopes": ["agents:read"], "days": "30"}
    made = await web.post("/keys/new", data=form)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    found = re.search(r"gr_[0-9A-Za-z]{49}", made.text)
    assert found is not None
    answer = await client.get("/api/v1/agents", headers={"X-API-Key": found.group()})
    assert answer.status_code == 200
    assert found.group() not in (await web.get("/keys")).text


async def test_file_in_a_form_is_refused(web: httpx2.AsyncClient) -> None:
    response = await web.post("/tools/new", files={"name": ("x.txt", b"content")})
    assert response.status_code == 400
