"""Clients that have come in already."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.models import User
from tests.conftest import client_of
from tests.factories.clients import key_headers, log_in


@pytest.fixture
async def api(
    app: FastAPI, session: AsyncSession, staff: User
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key of ``staff`` that has every scope."""
    headers = await key_headers(session, staff)
    async with client_of(app, headers=headers) as client:
        yield client


@pytest.fixture
async def member_api(
    app: FastAPI, session: AsyncSession, member: User
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key of ``member`` that has every scope."""
    headers = await key_headers(session, member)
    async with client_of(app, headers=headers) as client:
        yield client


@pytest.fixture
async def web(
    app: FastAPI, session: AsyncSession, settings: Settings, staff: User
) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which ``staff`` is logged in."""
    async with client_of(app) as client:
        await log_in(client, session, settings, staff)
        yield client
