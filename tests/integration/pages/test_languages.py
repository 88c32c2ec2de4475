"""Everybody reads pages in the language that they chose, whatever their browser asks for."""

from collections.abc import Iterator

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.texts import catalogues, speak
from app.models import AuditEvent, User
from tests.factories.clients import log_in
from tests.pseudo import TAG, pseudo


@pytest.fixture
def second_language(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(catalogues(), TAG, pseudo())
    yield
    speak("en")


def language_of(answer: httpx2.Response) -> str | None:
    root = LexborHTMLParser(answer.text).css_first("html")
    return root.attributes["lang"] if root else None


@pytest.mark.usefixtures("second_language")
async def test_pages_speak_the_language_that_somebody_chose(
    web: httpx2.AsyncClient, session: AsyncSession
) -> None:
    assert language_of(await web.get("/account")) == "en"
    answer = await web.post("/account/language", data={"language": TAG})
    assert answer.headers["location"].startswith("/account?notice=language")
    web.headers["Accept-Language"] = "en"
    for path in ("/account", "/executions", "/admin/executions/list", "/agents/987654321"):
        assert language_of(await web.get(path)) == TAG, path
    assert f'<option value="{TAG}" selected>Pseudo</option>' in (await web.get("/account")).text
    missing = await web.get("/api/v1/agents/987654321")
    assert missing.json()["error"]["message"] == "There is no such agent."
    changes = select(AuditEvent.changes).order_by(AuditEvent.id.desc()).limit(1)
    noted = await session.scalar(changes)
    assert noted is not None
    assert noted["language"] == [None, TAG]


@pytest.mark.usefixtures("second_language")
async def test_choice_of_english_outweighs_the_browser_and_can_be_given_up(
    web: httpx2.AsyncClient,
) -> None:
    web.headers["Accept-Language"] = TAG
    await web.post("/account/language", data={"language": "en"})
    assert language_of(await web.get("/account")) == "en"
    await web.post("/account/language", data={"language": ""})
    assert language_of(await web.get("/account")) == TAG


async def test_choice_that_is_no_longer_installed_leaves_it_to_the_browser(
    web: httpx2.AsyncClient, staff: User, session: AsyncSession
) -> None:
    staff.language = "tlh"
    await session.flush()  # the page reads it anew
    assert language_of(await web.get("/account")) == "en"


async def test_language_that_is_not_installed_is_refused_beside_its_field(
    web: httpx2.AsyncClient,
) -> None:
    answer = await web.post("/account/language", data={"language": "<b>tlh"})
    assert answer.status_code == 422
    problem = LexborHTMLParser(answer.text).css_first("#f-language-e")
    assert problem is not None
    assert "choose one of the list" in problem.text()


async def test_people_are_listed_with_their_language(
    client: httpx2.AsyncClient, session: AsyncSession, settings: Settings, superuser: User
) -> None:
    superuser.language = "en"
    await log_in(client, session, settings, superuser)
    table = LexborHTMLParser((await client.get("/users?cols=language")).text)
    assert [cell.text() for cell in table.css("td[data-label=Language]")] == ["en"]
