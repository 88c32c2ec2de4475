"""A running server for the importers of one module."""

from collections.abc import AsyncIterator

import pytest

from app.core.database import Database
from app.core.embedded_postgres import EmbeddedPostgres
from tests.conftest import copy_database, settings_for
from tests.server import Installation, installed

# Small enough that requests of a test are too large for it.
LIMIT = "20000"


@pytest.fixture(scope="module")
async def server(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    name = await copy_database(postgres, template)
    database = Database.from_settings(settings_for(postgres.url(name)))
    folder = tmp_path_factory.mktemp("server")
    async with installed(database, folder, OTLP_MAX_BODY_BYTES=LIMIT) as home:
        yield home
    await database.dispose()
