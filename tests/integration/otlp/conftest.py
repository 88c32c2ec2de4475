"""Whoever sends by OpenTelemetry."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import User
from tests.factories.clients import key_headers


@pytest.fixture
async def sender(
    client: httpx2.AsyncClient, session: AsyncSession, staff: User
) -> httpx2.AsyncClient:
    """A client with a key of ``staff``."""
    client.headers.update(await key_headers(session, staff))
    return client
