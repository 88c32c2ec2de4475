"""What else there is may hang, all at once: people come in, nothing opens, and it is named."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.core.database import Database
from app.core.permissions import Role
from tests.factories.users import PASSWORD, make_user
from tests.server import installed


@pytest.fixture
def hole() -> Iterator[int]:
    """A port where one may connect, and nobody ever says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


async def test_people_come_in_and_nothing_opens_while_everything_else_hangs(
    own_database: Database, tmp_path: Path, hole: int
) -> None:
    async with own_database.unit_of_work() as session:
        user = await make_user(session, Role.STAFF)
    hanging = {
        "REDIS_URL": f"redis://127.0.0.1:{hole}/0",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(hole),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{hole}/v1",
        "RATE_LIMIT_READ_PER_MINUTE": "2",
    }
    async with installed(own_database, tmp_path, **hanging) as site, site.api_client() as api:
        async with httpx2.AsyncClient(
            base_url=site.server.url, headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False
        ) as browser:
            form = {"email": user.email, "password": PASSWORD}
            came_in = await browser.post("/login", data=form)
            assert came_in.status_code == 303
            wrong = await browser.post("/login", data=form | {"password": "wrong"})
            assert wrong.status_code == 401
            forgot = await browser.post("/password/forgot", data={"email": user.email})
            assert forgot.status_code < 400, forgot.text
        statuses = [(await api.get("/api/v1/agents")).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        ready = await api.get("/health/ready")
        assert ready.status_code == 200
        assert "redis" in ready.json()["checks"]
