"""A running server to import published runs into."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.database import Database
from tests.server import Installation, installed


@pytest.fixture
async def home(own_database: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(own_database, tmp_path) as home:
        yield home
