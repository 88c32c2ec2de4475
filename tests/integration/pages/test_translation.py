"""Every page in a made-up language: what comes out unchanged was never given to be translated."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.texts import catalogues, speak
from app.models import User
from app.schemas.imports import RowState  # noqa: F401
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.clients import log_in
from tests.factories.imports import make_import
from tests.integration.audit_world import World
from tests.pages import BEFORE_LOGIN, page_paths
from tests.pseudo import BEGIN, END, TAG, pseudo

ATTRIBUTES = ("title", "aria-label", "placeholder", "alt", "data-label", "data-confirm")
# What holds code, names of keys, or what somebody wrote.
NOT_TEXTS = frozenset({"script", "style", "code", "pre", "kbd", "textarea", "time", "svg", "bdi"})
VOID = frozenset({"br", "img", "input", "link", "meta", "hr", "rect", "path", "line", "wbr", "col"})
WORD = re.compile(r"[A-Za-z]{2,}[A-Za-z ,.’'-]*")
# What the rows of this test are called, and names that are the same in every language.
DATA = re.compile(
    r"(agent|tool|view|imported)-\w+|\w+@example\.com|https?://\S+|gr_\w+|msg_\w+|\w+/\w+|UTC\S*|"
    r"\b(agents|tools|executions|jobs|prices|keys|execution|agent|tool|key|job|webhook)[.:]\w+|"
    r"test key|(chat )?gpt-4o|find_bag|\b[0-9a-f]{8}\b|"
    r"rows\.jsonl|Where is my bag\?|It is in Rome\.|Looks it "
    r"up\.|Be kind\.|Be brief\.|"
    r"Its time is over\.|house-model|webhook-id|"
    r"\b(Greenroom|OpenTelemetry|OpenAI Agents|Pydantic AI|LangGraph|curl|development|superuser|"
    r"English|Pseudo|PostgreSQL|"
    r"API|OTLP|HTTP|MCP|JSON|GET|PUT|PATCH|POST|DELETE|USD|ms|bytes|kB|MB|GB|TB)\b"
)
# The manual is in English. Names of stored fields are shown as the API has them.
ENGLISH_PAGES = re.compile(r"/help")
FIELDS = re.compile(r"/(audit|agents/\{agent_id\}/revisions)$|^/settings$")


class Shown(HTMLParser):
    """The texts of a page that are outside of what was translated."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.depth = 0
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ATTRIBUTES and value and self.depth == 0 and tag not in NOT_TEXTS:
                self.found += outside(value, 0)[0]
        if tag not in VOID:
            mono = "mono" in (dict(attrs).get("class") or "").split()
            self.open.append(f"{tag}!" if mono or tag in NOT_TEXTS else tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop().rstrip("!") != tag:
            continue

    def handle_data(self, data: str) -> None:
        found, self.depth = outside(data, self.depth)
        if not any(tag.endswith("!") for tag in self.open):
            self.found += found


def outside(text: str, depth: int) -> tuple[list[str], int]:
    """The words that are in no brackets, and how many brackets are open at the end."""
    kept = []
    for character in text:
        if character == BEGIN:
            depth += 1
        elif character == END:
            depth -= 1
        else:
            kept.append(character if depth == 0 else " · ")
    return [found.strip() for found in WORD.findall(DATA.sub(" · ", "".join(kept)))], depth


@pytest.fixture
async def reader(
    client: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that asks for the made-up language; its person has a name without letters."""
    monkeypatch.setitem(catalogues(), TAG, pseudo())
    superuser.full_name, superuser.email = "Αδα", "1@example.com"
    await log_in(client, session, settings, superuser)
    client.headers["Accept-Language"] = TAG
    yield client
    speak("en")


async def one_of_each(session: AsyncSession, settings: Settings, user: User) -> dict[str, object]:
    """Rows for the parameters of the paths of pages."""
    world = World(session, user, settings)
    agent_id = await world.with_old_revision()
    webhook_id, _, delivery_id = (await world.delivery()).split("/")
    return {
        "agent_id": agent_id,
        "tool_id": await world.http_tool(),
        "execution_id": await world.run(),
        "key_id": await world.key(),
        "user_id": user.id,
        "webhook_id": webhook_id,
        "delivery_id": delivery_id,
        "price_id": await world.price(),
        "batch_id": await world.batch(),
        "view_id": await world.view(),
        "job_id": await world.job(),
        "change_id": (await make_bulk_change(session, world.actor, ids=[agent_id])).id,
        "import_id": (await make_import(session, world.actor)).id,
        "name": "agents",
    }


async def test_every_text_of_every_page_is_given_to_be_translated(
    app: FastAPI,
    reader: httpx2.AsyncClient,
    session: AsyncSession,
    settings: Settings,
    superuser: User,
) -> None:
    ids = await one_of_each(session, settings, superuser)
    missed: dict[str, list[str]] = {}
    for path in sorted(page_paths(app), key=lambda path: bool(BEFORE_LOGIN.match(path))):
        if BEFORE_LOGIN.match(path):
            reader.cookies.clear()
        if ENGLISH_PAGES.match(path):
            continue
        page = (await reader.get(path.format(**ids), follow_redirects=True)).text
        assert f'<html lang="{TAG}" dir="ltr"' in page, path
        found = [t for t in Shown(page).found if not (FIELDS.search(path) and t == t.lower())]
        if found:
            missed[path] = found
    assert missed == {}


async def test_api_answers_in_english_whatever_the_browser_asks_for(
    reader: httpx2.AsyncClient,
) -> None:
    answer = await reader.get("/api/v1/agents/987654321")

    assert answer.json()["error"]["message"] == "There is no such agent."
