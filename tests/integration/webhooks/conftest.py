"""An app that may reach this machine, and a receiver that is there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.models import User
from tests.conftest import client_of
from tests.factories.clients import log_in
from tests.receiver import Receiver, reaching_loopback, receiving

Subscribe = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def receiver(app: FastAPI, settings: Settings) -> Iterator[Receiver]:
    app.state.settings = reaching_loopback(settings)
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def boss(
    app: FastAPI, session: AsyncSession, settings: Settings, superuser: User
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which a superuser is logged in."""
    async with client_of(app) as client:
        await log_in(client, session, settings, superuser)
        yield client


@pytest.fixture
def subscribe(boss: httpx2.AsyncClient, receiver: Receiver) -> Subscribe:
    """Have the receiver told of these events: the endpoint as the API answers it, once."""

    async def make(*events: str, **values: Any) -> dict[str, Any]:
        body = {"url": receiver.url, "events": list(events)} | values
        answer = await boss.post("/api/v1/webhooks", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return make
