"""What published runs are imported into, and where recorded exchanges are replayed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.database import Database
from tests.server import Installation, installed
from tests.stage import provider, run_settings, stage

__all__ = ["home", "provider", "run_settings", "stage"]


@pytest.fixture
async def home(own_database: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(own_database, tmp_path) as home:
        yield home
