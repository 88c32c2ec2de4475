"""A server in a process of its own, with little patience."""

from collections.abc import Iterator

import pytest

from app.core.embedded_postgres import EmbeddedPostgres
from tests.server import ServerProcess

IMPATIENT = {
    "REQUEST_HEAD_TIMEOUT_S": "0.3",
    "REQUEST_BODY_TIMEOUT_S": "0.3",
    "KEEP_ALIVE_S": "1",
    "TRUSTED_PROXIES": "127.0.0.1",
}


@pytest.fixture(scope="module")
def impatient(
    postgres: EmbeddedPostgres, shared_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    url = postgres.url(shared_database)
    with ServerProcess(url, tmp_path_factory.mktemp("impatient"), **IMPATIENT) as server:
        yield server
