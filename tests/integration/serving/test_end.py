"""A process that is told to stop is noticed by whom it should, and by no request."""

import os
import signal
from pathlib import Path

import httpx2

from app.core.database import Database
from tests.raw import connected, status_of
from tests.server import installed
from tests.sockets import in_room

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
AGENT = b'{"name": "half-sent", "model": "gpt-4o", "system_prompt": "Be kind."}'


async def test_process_that_stops_answers_what_was_begun_and_turns_others_away(
    own_database: Database, tmp_path: Path
) -> None:
    async with installed(own_database, tmp_path, SHUTDOWN_DRAIN_S="1") as site:
        port, key = site.server.port, {"X-API-Key": site.api_key}
        head = (
            f"POST /api/v1/agents HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {site.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(AGENT)}\r\n\r\n"
        )
        async with (
            connected(port) as idle,
            connected(port) as half,
            connected(port) as late,
            in_room(site.server.url, "agents", key) as socket,
        ):
            await idle.say(LIVE)
            assert b"connection: close" not in await idle.answer()
            await half.say(head.encode() + AGENT[:9])
            os.kill(site.server.pid, signal.SIGTERM)
            await until_it_says_so(site.server.url)
            await idle.say(LIVE)
            assert b"connection: close" in await idle.answer()
            code, _ = await socket.closing()
            assert code == 1012
            await late.say(LIVE)  # it had connected before the door was shut
            assert status_of(await late.until_closed()) == 200
            await half.say(AGENT[9:])
            assert status_of(await half.until_closed()) == 201


async def until_it_says_so(url: str) -> None:
    """The answer to whoever asks whether it is ready, on a connection for this question alone."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        for _ in range(1000):
            response = await client.get("/health/ready")
            if response.status_code != 200:
                break
    assert response.status_code == 503
    assert response.json()["checks"]["process"] == "is stopping: ask another one"
    assert response.headers["connection"] == "close"
