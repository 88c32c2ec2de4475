"""Jumping to anything: the palette and the search page find what each person may see."""

from collections.abc import Sequence

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor
from app.core.config import Settings
from app.core.permissions import Role
from app.models import ListName, User
from app.schemas.saved_views import SavedViewCreate
from app.services.saved_views import SavedViewService
from tests.conftest import QueryCounter, actor_for, client_of
from tests.factories.agents import make_agent
from tests.factories.clients import log_in
from tests.factories.executions import make_execution
from tests.factories.tools import make_tool
from tests.factories.users import make_user


def options(html: str) -> list[str]:
    """The names of what can be chosen, in order."""
    found = LexborHTMLParser(html).css("[role=option] .palette-label")
    return [each.text(strip=True) for each in found]


def titles(html: str) -> list[str]:
    return [each.text(strip=True) for each in LexborHTMLParser(html).css(".palette-title")]


async def make_each(session: AsyncSession, actor: Actor, name: str) -> None:
    """One of each kind that the word quokka finds."""
    tool = await make_tool(session, actor, name=f"quokka-tool-{name}")
    agent = await make_agent(session, actor, name=f"quokka-agent-{name}", tool_ids=[tool.id])
    await make_execution(session, actor, agent, input={"question": "Where is my quokka?"})
    await make_user(session, email=f"quokka-{name}@example.com")
    view = {"name": f"Quokka {name}", "resource": ListName.AGENTS, "is_shared": True}
    await SavedViewService(session, actor).create(SavedViewCreate.model_validate(view))


EVERYTHING = ["Agents", "Tools", "Executions", "Users", "Saved views"]


@pytest.mark.parametrize(
    ("role", "kinds", "actions", "hidden"),
    [
        (Role.VIEWER, ["Agents", "Tools", "Executions", "Saved views"], [], "New agent"),
        (
            Role.STAFF,
            ["Agents", "Tools", "Executions", "Saved views"],
            ["New agent", "New tool", "New API key", "New model price"],
            "Invite a person",
        ),
        (
            Role.SUPERUSER,
            EVERYTHING,
            ["New agent", "New tool", "New API key", "New webhook", "New model price"],
            "Nothing",
        ),
    ],
)
async def test_each_role_is_offered_what_it_may_see_and_do(
    role: Role,
    kinds: Sequence[str],
    actions: Sequence[str],
    hidden: str,
    app: FastAPI,
    session: AsyncSession,
    settings: Settings,
    actor: Actor,
) -> None:
    await make_each(session, actor, "one")
    async with client_of(app) as client:
        await log_in(client, session, settings, await make_user(session, role))
        found = await client.get("/palette", params={"q": "quokka"})
        assert found.status_code == 200
        assert titles(found.text) == kinds
        page = LexborHTMLParser((await client.get("/search?q=quokka")).text)
        assert [each.text() for each in page.css("main section h2")] == kinds
        at_first = options((await client.get("/palette")).text)
        assert [name for name in at_first if name.startswith("New ")] == actions
        assert hidden not in at_first
        assert ("Users" in at_first) == (role is Role.SUPERUSER)


async def test_run_is_found_by_number_by_its_ids_and_by_words(
    web: httpx2.AsyncClient, session: AsyncSession, actor: Actor
) -> None:
    agent = await make_agent(session, actor)
    said = {"question": "Where is my quokka?"}
    run = await make_execution(session, actor, agent, input=said, external_id="order-7")
    await make_execution(session, actor, agent, input={"question": "Anything else"})
    for text in (str(run.id), "order-7", run.trace_hex, "quok"):
        html = (await web.get("/palette", params={"q": text})).text
        assert f'href="/executions/{run.id}"' in html, text
    # So few letters begin the words of nearly every run.
    assert "Executions" not in titles((await web.get("/palette", params={"q": "qu"})).text)


async def test_what_was_typed_is_text_and_always_leads_on(web: httpx2.AsyncClient) -> None:
    for text in ("<b>x</b>", "%_\\", "'; --", "\x00", "0" * 200, "…"):
        answer = await web.get("/palette", params={"q": text})
        assert answer.status_code == 200, text
        assert "<b>x</b>" not in answer.text
    last = options((await web.get("/palette", params={"q": "nothing-is-called-so"})).text)
    assert last == ["Nothing matches yet: search for “nothing-is-called-so”"]


async def test_actions_are_found_by_other_words_for_them(web: httpx2.AsyncClient) -> None:
    assert options((await web.get("/palette?q=dark")).text)[0] == "Change the theme"
    assert options((await web.get("/palette?q=create+ag")).text)[0] == "New agent"
    assert options((await web.get("/palette?q=executions")).text)[0] == "Executions"


@pytest.mark.parametrize("path", ["/palette?q=quokka", "/search?q=quokka"])
async def test_more_matches_need_no_more_queries_and_are_few(
    path: str,
    web: httpx2.AsyncClient,
    session: AsyncSession,
    staff: User,
    counted: QueryCounter,
) -> None:
    staff.role = Role.SUPERUSER
    await make_each(session, actor_for(staff), "one")
    await web.get(path)
    with counted:
        await web.get(path)
    few = counted.count
    assert few <= 12
    for i in range(7):
        await make_each(session, actor_for(staff), f"more-{i}")
    counted.statements.clear()
    with counted:
        html = (await web.get(path)).text
    assert counted.count == few
    assert sum(name.startswith("quokka-agent") for name in options(html)) in (0, 5)
