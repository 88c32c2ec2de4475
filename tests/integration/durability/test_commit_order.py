"""What a client is told has happened: the commit comes before the answer (contract C2).

Constraint triggers that run at commit make it slow, or make it fail.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from app.core.database import Database
from tests.server import Installation, installed

COMMIT_S = 0.4
SLOW = f"PERFORM pg_sleep({COMMIT_S})"
REFUSED = "RAISE EXCEPTION 'refused at commit' USING ERRCODE = '{code}'"
# What goes wrong at commit, and the status that a client must see then.
FAILURES = {
    "constraint violated": (REFUSED.format(code="23514"), 409),
    "serialization failure": (REFUSED.format(code="40001"), 503),
    "unforeseen error": (REFUSED.format(code="P0001"), 500),
    "connection lost": ("PERFORM pg_terminate_backend(pg_backend_pid())", 503),
}
FORM = {
    "name": "door-agent",
    "model_name": "gpt-4o",
    "system_prompt": "Be kind.",
    "max_tokens": "1000",
    "config": "{}",
    "is_active": "true",
}


async def by_api(home: Installation) -> httpx2.Response:
    async with home.api_client() as client:
        return await client.post("/api/v1/agents", json={"name": "door-agent", "model": "gpt-4o"})


async def by_page(home: Installation) -> httpx2.Response:
    async with home.staff_client() as client:
        return await client.post("/agents/new", data=FORM)


async def by_data_admin(home: Installation) -> httpx2.Response:
    async with home.staff_client() as client:
        return await client.post("/admin/agents/create", data=FORM)


@dataclass(frozen=True, slots=True)
class Door:
    """A way to make an agent, and the status that says it is made."""

    enter: Callable[[Installation], Awaitable[httpx2.Response]]
    done: int


DOORS = {
    "api": Door(by_api, 201),
    "page": Door(by_page, 303),
    "data admin": Door(by_data_admin, 303),
}
each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())


@pytest.fixture
async def home(own_database: Database, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(own_database, tmp_path) as home:
        yield home


ADD_FUNCTION = """
CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN {action}; RETURN NULL; END $$
"""
ADD_TRIGGER = """
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON agents
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()
"""


async def at_commit(home: Installation, action: str) -> None:
    """Run the PL/pgSQL statement in each commit that adds an agent."""
    async with home.database.engine.begin() as connection:
        await connection.execute(text(ADD_FUNCTION.format(action=action)))
        await connection.execute(text("DROP TRIGGER IF EXISTS at_commit ON agents"))
        await connection.execute(text(ADD_TRIGGER))


async def count(home: Installation, table: str) -> int:
    """As another connection sees it at this moment."""
    async with home.database.engine.connect() as connection:
        found = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
        return int(found or 0)


@each_door
async def test_answer_comes_after_a_slow_commit(home: Installation, door: Door) -> None:
    await at_commit(home, SLOW)
    assert await count(home, "agents") == 0
    started = time.monotonic()
    response = await door.enter(home)
    agents = await count(home, "agents")
    assert time.monotonic() - started >= COMMIT_S
    assert response.status_code == door.done, response.text
    assert agents == 1


@each_door
async def test_failed_commit_is_never_reported_as_done(home: Installation, door: Door) -> None:
    events = await count(home, "audit_events")
    for name, (action, status) in FAILURES.items():
        await at_commit(home, action)
        response = await door.enter(home)
        assert response.status_code == status, name
        assert "refused at commit" not in response.text, name
        assert await count(home, "agents") == 0, name
        assert await count(home, "audit_events") == events, name
    await at_commit(home, SLOW)
    response = await door.enter(home)
    assert response.status_code == door.done, response.text
