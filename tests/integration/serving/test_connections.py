"""What a connection may send, and how long it may take; said byte by byte."""

import asyncio
import gzip
import json
import re
import subprocess
import sys

import pytest

from app.core.config import PROJECT_ROOT
from tests.raw import ask, connected, status_of
from tests.server import ServerProcess, free_port

DOCKERFILE = PROJECT_ROOT / "Dockerfile"
HOST = b"Host: localhost\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\n" + HOST
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
POST = b"POST /login HTTP/1.1\r\n" + HOST + FORM
UPGRADE = (
    b"GET /ws/agents HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"\r\n\r\n", 0, id="empty lines"),
        pytest.param(LIVE, 408, id="half a head"),
        pytest.param(LIVE + b"X: ", 408, id="half a header"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\nhalf", 408, id="half a body"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nha", 408, id="half a chunk"),
        pytest.param(UPGRADE + HOST, 408, id="half a handshake"),
    ],
)
async def test_connection_that_stops_halfway_is_closed(
    impatient: ServerProcess, sent: bytes, answered: int
) -> None:
    assert status_of(await ask(impatient.port, sent)) == answered


@pytest.mark.parametrize("path", [b"/login", b"/api/v1/auth/login"])
async def test_client_that_hangs_up_in_its_body_is_no_error_of_ours(
    impatient: ServerProcess, path: bytes
) -> None:
    before = len(impatient.log.read_text())
    async with connected(impatient.port) as raw:
        head = b"POST " + path + b" HTTP/1.1\r\n" + HOST + FORM
        await raw.say(head + b"Sec-Fetch-Site: same-origin\r\nContent-Length: 10\r\n\r\nhalf")
    for _ in range(1_000):
        if " route=" in (logged := impatient.log.read_text()[before:]):
            break
        await asyncio.sleep(0.02)
    assert "status=400" in logged
    assert "unexpected error" not in logged


async def test_idle_connection_is_kept_for_a_while_and_empty_lines_do_not_keep_it(
    impatient: ServerProcess,
) -> None:
    async with connected(impatient.port) as raw:
        for _ in range(2):
            await raw.say(LIVE + b"\r\n")
            assert status_of(await raw.answer()) == 200
        await raw.say(b"\r\n")
        assert await raw.until_closed() == b""


async def test_body_after_its_answer_does_not_hold_the_connection(impatient: ServerProcess) -> None:
    async with connected(impatient.port) as raw:
        await raw.say(b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 99999\r\n\r\n")
        assert status_of(await raw.answer()) in (403, 404, 405)
        await raw.say(b"half")
        assert b"HTTP/1.1" not in await raw.until_closed()


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (LIVE + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (LIVE + b"X: " + b"a" * 40_000, 431),
        (LIVE + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n", 431),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (LIVE + HOST + b"\r\n", 400),
        (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
        (b"GET /health/live\r\n\r\n", 505),
        (b"GET /health/live HTTP/1.2\r\n" + HOST + b"\r\n", 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (LIVE + b"X: a\r\n b\r\n\r\n", 400),
        (LIVE + b"X: a\x00b\r\n\r\n", 400),
        (LIVE + b"X: a\x1bb\r\n\r\n", 400),
        (LIVE + b"X: a\rb\r\n\r\n", 400),
        (LIVE + b"X : a\r\n\r\n", 400),
        (b"GET /health/live HTTP/1.1\nHost: localhost\n\n", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", 400),
        (UPGRADE + HOST + HOST + b"\r\n", 400),
        (UPGRADE + b"\r\n", 400),
        (UPGRADE + HOST + b"X: a\x00b\r\n\r\n", 400),
        (UPGRADE + HOST + b"Content-Length: 3\r\n\r\nabc", 400),
        (UPGRADE + HOST + b"X: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (UPGRADE + HOST + b"X: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_request_that_can_be_read_in_two_ways_is_refused(
    impatient: ServerProcess, sent: bytes, answered: int
) -> None:
    assert status_of(await ask(impatient.port, sent)) == answered


async def test_headers_after_a_body_are_not_those_of_the_request(
    impatient: ServerProcess,
) -> None:
    trailer = b"X-Correlation-ID: from-the-trailer\r\n"
    async with connected(impatient.port) as raw:
        await raw.say(
            POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + trailer + b"\r\n"
        )
        assert b"from-the-trailer" not in await raw.answer()
        await raw.say(LIVE + trailer + b"\r\n")
        assert b"from-the-trailer" in await raw.answer()


async def test_answer_under_way_is_not_mixed_with_a_refusal(impatient: ServerProcess) -> None:
    answers = await ask(impatient.port, LIVE + b"\r\n" + LIVE + b"X : a\r\n\r\n")
    assert answers.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize(
    ("body", "encoding", "answered"),
    [
        (b"a" * 17_000_000, b"", 413),
        (gzip.compress(b"\0" * 80_000_000), b"Content-Encoding: gzip\r\n", 401),
    ],
)
async def test_large_body_is_answered(
    impatient: ServerProcess, body: bytes, encoding: bytes, answered: int
) -> None:
    head = b"POST /v1/traces HTTP/1.1\r\n" if encoding else b"POST /api/v1/agents HTTP/1.1\r\n"
    head += HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    async with connected(impatient.port) as raw:
        await raw.say(head + encoding + b"\r\n" + body)
        assert status_of(await raw.answer()) == answered


def test_image_asks_whether_a_server_is_well(impatient: ServerProcess) -> None:
    [line] = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])$", DOCKERFILE.read_text(), re.MULTILINE)
    _, *arguments = json.loads(line)
    for port, is_well in ((impatient.port, True), (free_port(), False)):
        command = [sys.executable, *arguments]
        asked = subprocess.run(command, env={"PORT": str(port)}, capture_output=True, check=False)
        assert (asked.returncode == 0) == is_well, asked.stderr
