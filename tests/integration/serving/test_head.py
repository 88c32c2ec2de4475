"""HEAD over a real connection: no body follows, and the connection is good for more."""

from pathlib import Path

import httpx2

from app.core.embedded_postgres import EmbeddedPostgres
from tests.server import ServerProcess


async def test_connection_goes_on_after_a_head(
    postgres: EmbeddedPostgres, shared_database: str, tmp_path: Path
) -> None:
    with ServerProcess(postgres.url(shared_database), tmp_path) as server:
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            head = await client.head("/login")
            got = await client.get("/login")
            again = await client.head("/login")
    assert (head.status_code, got.status_code, again.status_code) == (200, 200, 200)
    assert (head.content, again.content) == (b"", b"")
    assert "<form" in got.text
    assert "Traceback" not in server.log.read_text()
