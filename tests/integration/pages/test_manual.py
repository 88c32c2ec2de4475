"""The manual under /help, for whoever is logged in."""

import httpx2
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.permissions import Role
from tests.conftest import client_of
from tests.factories.clients import log_in
from tests.factories.users import make_user


def one(tree: LexborHTMLParser, selector: str) -> LexborNode:
    found = tree.css_first(selector)
    assert found is not None, selector
    return found


async def test_viewer_reads_a_page_and_goes_on_to_the_next(
    app: FastAPI, session: AsyncSession, settings: Settings
) -> None:
    async with client_of(app) as client:
        await log_in(client, session, settings, await make_user(session, Role.VIEWER))
        page = LexborHTMLParser((await client.get("/help/agents")).text)
        assert one(page, "article h1").text() == "Agents"
        assert one(page, ".manual-contents [aria-current]").text() == "Agents"
        one(page, ".side a[data-nav=help]")
        following = one(page, "a[rel=next]").attributes["href"] or ""
        assert (await client.get(following)).status_code == 200


async def test_page_links_to_the_section_about_it(web: httpx2.AsyncClient) -> None:
    page = LexborHTMLParser((await web.get("/tools/new")).text)
    link = one(page, ".top a[aria-label='Help on this page']")
    assert link.attributes["href"] == "/help/tools#make-a-tool"


async def test_search_shows_sections_with_the_words_marked(web: httpx2.AsyncClient) -> None:
    page = LexborHTMLParser((await web.get("/help", params={"q": "second <i>factor"})).text)
    assert not page.css("main i:not(.ti)")
    found = LexborHTMLParser((await web.get("/help", params={"q": "recovery cod"})).text)
    assert one(found, ".manual-hits a").attributes["href"] == "/help/users-and-keys#second-factor"
    assert one(found, ".manual-hits mark").text().lower() == "recovery"
    nothing = LexborHTMLParser((await web.get("/help", params={"q": "xyzzy"})).text)
    assert "Nothing is said of it" in one(nothing, "main").text()


async def test_what_is_not_in_the_manual_is_not_there(web: httpx2.AsyncClient) -> None:
    for path in (
        "/help/nothing",
        "/help/adr",
        "/help/..%2fREADME",
        "/help/img/..%2fapi.md",
        "/help/img/x.png",
    ):
        assert (await web.get(path)).status_code == 404, path
    picture = await web.get("/help/img/help-dashboard.webp")
    assert picture.headers["content-type"] == "image/webp"
