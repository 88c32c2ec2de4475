"""Logged-in browsers of the data admin, and forms as a browser would send them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.deps import PLAIN_COOKIE
from app.core.actor import Actor
from app.core.security import Signer
from app.models import User
from tests.conftest import SECRET, actor_for, client_of
from tests.factories.users import make_session_token
from tests.integration.admin.stock import Stock, stock_admin

Login = Callable[[User], Awaitable[httpx2.AsyncClient]]
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
OTHER_SITE = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}


@pytest.fixture
async def login(app: FastAPI, session: AsyncSession) -> AsyncIterator[Login]:
    """A browser of this user, whose requests come from our own pages."""
    async with AsyncExitStack() as stack:

        async def log_in(user: User) -> httpx2.AsyncClient:
            cookie = Signer([SECRET]).sign(await make_session_token(session, user))
            client = client_of(app, cookies={PLAIN_COOKIE: cookie}, headers=SAME_ORIGIN)
            return await stack.enter_async_context(client)

        yield log_in


@pytest.fixture
async def desk(login: Login, staff: User) -> httpx2.AsyncClient:
    """The browser of a staff member."""
    return await login(staff)


@pytest.fixture
async def root(login: Login, superuser: User) -> httpx2.AsyncClient:
    """The browser of a superuser."""
    return await login(superuser)


@pytest.fixture
def owner(superuser: User) -> Actor:
    return actor_for(superuser)


def control_value(node: LexborNode) -> list[str]:
    name = node.attributes.get("name")
    if not name:
        return []
    if node.tag == "textarea":
        return [(node.text() or "").replace("\r\n", "\n").replace("\n", "\r\n")]
    if node.tag == "select":
        options = node.css("option")
        chosen = [o for o in options if "selected" in o.attributes] or options[:1]
        return [o.attributes.get("value") or "" for o in chosen]
    if node.attributes.get("type") == "checkbox" and "checked" not in node.attributes:
        return []
    return [node.attributes.get("value") or ""]


def form_values(html: str) -> dict[str, Any]:
    """What a browser sends when the page's form is submitted unchanged."""
    values: dict[str, Any] = {}
    for node in LexborHTMLParser(html).css("main form input, main form textarea, main form select"):
        for value in control_value(node):
            name = node.attributes["name"] or ""
            values[name] = value if name != "tool_ids" else [*values.get(name, []), value]
    return values


def rows_of(html: str) -> list[list[str]]:
    return [
        [cell.text(strip=True) for cell in row.css("td")]
        for row in LexborHTMLParser(html).css("table[data-rows] tbody tr")
    ]


def texts(html: str, selector: str) -> list[str]:
    return [node.text(strip=True) for node in LexborHTMLParser(html).css(selector)]


@pytest.fixture
async def stock() -> AsyncIterator[Stock]:
    """SQLAdmin without any of our changes."""
    async with stock_admin() as stock:
        yield stock
