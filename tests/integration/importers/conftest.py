"""A running server for the importers of one module."""

from collections.abc import AsyncIterator

import pytest

from app.core.embedded_postgres import EmbeddedPostgres
from tests.importing import installed_in_a_copy
from tests.server import Installation

# Small enough that requests of a test are too large for it.
LIMIT = "20000"


@pytest.fixture(scope="module")
async def server(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    folder = tmp_path_factory.mktemp("server")
    async with installed_in_a_copy(postgres, template, folder, OTLP_MAX_BODY_BYTES=LIMIT) as home:
        yield home
