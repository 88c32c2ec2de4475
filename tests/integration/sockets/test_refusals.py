"""What is refused over a real connection: the answer arrives, and the log stays calm."""

import asyncio
import socket
from urllib.parse import urlsplit

from tests.integration.sockets.conftest import Site
from tests.sockets import PATIENCE_S, Refusal, dial

TOO_LARGE = 20 * 1024 * 1024
HEAD = (
    "POST /api/v1/agents HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Connection: close\r\n"
)


def write_all_then_read(url: str, chunked: bool) -> bytes:
    """As clients do that look at no answer before they are done."""
    place = urlsplit(url)
    block = b"a" * 65_536
    with socket.create_connection((place.hostname, place.port), PATIENCE_S) as connection:
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {TOO_LARGE}"
        connection.sendall(f"{HEAD}{length}\r\n\r\n".encode())
        for _ in range(TOO_LARGE // len(block)):
            connection.sendall(b"10000\r\n" + block + b"\r\n" if chunked else block)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        return connection.recv(65_536)


async def test_who_sends_too_much_reads_why_also_when_the_connection_then_ends(site: Site) -> None:
    for chunked in (False, True):
        answer = await asyncio.to_thread(write_all_then_read, site.one, chunked)
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]


async def test_refused_handshake_is_a_line_in_the_log_and_no_error(site: Site) -> None:
    before = site.log.stat().st_size
    for _ in range(2):  # by the end of the second all is logged of the first
        refusal = await dial(site.one, "agents", {})
        assert isinstance(refusal, Refusal)
        assert refusal.status == 401
    said = site.log.read_text()[before:]
    assert "status=401" in said
    assert "error" not in said.lower(), said
