"""No spelling, name, redirect or second answer of a resolver leads to where nobody may go."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from app.core.addresses import may_connect
from app.core.outbound import (
    Outbound,
    OutboundFailed,
    OutboundRefused,
    OutboundRequest,
    OutboundTimeout,
)
from app.exceptions import AppError
from tests.loopback import LoopbackServer

LOOPBACK = [ip_network("127.0.0.0/8")]
PUBLIC = "93.184.215.14"
SECRET = {"X-Key": "k-secret-canary"}
seen: list[str] = []


async def echo(request: Request) -> Response:
    seen.append(request.url.path)
    headers = dict(request.headers)
    body = (await request.body()).decode()
    return JSONResponse({"method": request.method, "headers": headers, "body": body})


async def go_to(request: Request) -> Response:
    seen.append(request.url.path)
    status = int(request.query_params.get("status", 302))
    return RedirectResponse(request.query_params["to"], status)


async def flood(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    return StreamingResponse(chunks())


async def bomb(_: Request) -> Response:
    return Response(b"\x1f\x8b", headers={"content-encoding": "gzip"})


async def sleep(_: Request) -> Response:
    await asyncio.sleep(5)
    return PlainTextResponse("late")


async def drip(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"."
            await asyncio.sleep(0.05)

    return StreamingResponse(chunks())


METHODS = ["GET", "POST"]
APP = Starlette(
    routes=[
        Route("/echo", echo, methods=METHODS),
        Route("/to", go_to, methods=METHODS),
        Route("/flood", flood),
        Route("/bomb", bomb),
        Route("/sleep", sleep),
        Route("/drip", drip),
    ]
)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(APP) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


async def send(url: str, outbound: Outbound | None = None, **values: object) -> None:
    asked = OutboundRequest("GET", url, **values)  # type: ignore[arg-type]  # as given
    await (outbound or Outbound()).send(asked)


def answering(*answers: Sequence[str]) -> Outbound:
    """An outbound whose resolver gives these answers, one after the other; loopback is open."""
    left = list(answers)

    async def resolver(_: str, __: int) -> Sequence[str]:
        return left.pop(0)

    return Outbound(LOOPBACK, resolver)


SPELLINGS = [
    "http://127.0.0.1:{port}/echo",
    "http://localhost:{port}/echo",
    "http://localhost.:{port}/echo",
    "http://LOCALHOST:{port}/echo",
    "HTTP://127.0.0.1:{port}/echo",
    "hTTp://127.0.0.1:{port}/echo",
    "http://127.1:{port}/echo",
    "http://127.000.000.001:{port}/echo",
    "http://0177.0.0.1:{port}/echo",
    "http://0x7f.0.0.1:{port}/echo",
    "http://0x7f000001:{port}/echo",
    "http://2130706433:{port}/echo",
    "http://017700000001:{port}/echo",
    "http://0:{port}/echo",
    "http://0.0.0.0:{port}/echo",
    "http://127。0。0。1:{port}/echo",
    "http://127．0．0．1:{port}/echo",
    "http://①②⑦.0.0.1:{port}/echo",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/echo",
    "http://[::1]:{port}/echo",
    "http://[::]:{port}/echo",
    "http://[::ffff:127.0.0.1]:{port}/echo",
    "http://[::ffff:7f00:1]:{port}/echo",
    "http://[::127.0.0.1]:{port}/echo",
    "http://[64:ff9b::127.0.0.1]:{port}/echo",
    "http://[2002:7f00:1::]:{port}/echo",
    "http://[fe80::1%25lo]:{port}/echo",
    "http://[fe80::1%lo]:{port}/echo",
    "http://user:password@127.0.0.1:{port}/echo",
    "http://example.com@127.0.0.1:{port}/echo",
    "http://127.0.0.1:{port}#@example.com/echo",
    "http://127.0.0.1:{port}\\@example.com/echo",
    "http://%31%32%37.0.0.1:{port}/echo",
    "http://127.0.0.1%00.example.com:{port}/echo",
    "http://127.0.0.1:{port}@example.invalid/echo",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http:///echo",
    "http://",
    "//127.0.0.1:{port}/echo",
    "127.0.0.1:{port}/echo",
    "/echo",
    "",
    " http://127.0.0.1:{port}/echo",
    "http://127.0.0.1\t:{port}/echo",
    "http://127.0.0.1\r\nHost: example.com\r\n:{port}/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/echo",
    "gopher://127.0.0.1:{port}/_GET",
    "unix:///var/run/docker.sock",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://" + "a" * 5_000 + ".example.com/",
    "http://" + "a" * 300 + "/",
]


@pytest.mark.parametrize("url", SPELLINGS)
async def test_no_spelling_of_a_forbidden_address_is_called(
    server: LoopbackServer, url: str
) -> None:
    with pytest.raises((OutboundRefused, OutboundFailed)):
        await send(url.replace("{port}", str(server.port)))
    assert seen == []


REFUSED_ADDRESSES = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0 ::127.0.0.1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::a00:1 64:ff9b:1::1 100::1
2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 2002:c0a8:101::1
2001::1 2001:db8::1 2001:10::1 3fff::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff05::2 4000::1
"""
PUBLIC_ADDRESSES = """
1.1.1.1 8.8.8.8 93.184.215.14 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.1.1
198.20.0.1 223.255.255.254 2606:4700:4700::1111 2a00:1450:4001::1 ::ffff:8.8.8.8
64:ff9b::808:808 2002:808:808::1
"""


@pytest.mark.parametrize("address", REFUSED_ADDRESSES.split())
def test_special_addresses_are_refused_in_every_form(address: str) -> None:
    assert not may_connect(address, [])


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES.split())
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_connect(address, [])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("fd12::1", "fd00::/8"),
    ],
)
def test_operator_may_allow_networks(address: str, network: str) -> None:
    assert may_connect(address, [ip_network(network)])
    assert not may_connect(address, [ip_network("192.168.0.0/16")])
    assert not may_connect("169.254.169.254", [ip_network(network)])


async def test_name_is_resolved_once_and_the_checked_address_is_called(
    server: LoopbackServer,
) -> None:
    """A second answer would raise: there is none."""
    outbound = answering(["127.0.0.1"])
    asked = OutboundRequest("POST", f"http://tools.example.com:{server.port}/echo", content=b"hi")
    answer = json.loads((await outbound.send(asked)).body)
    assert answer["headers"]["host"] == f"tools.example.com:{server.port}"
    assert (answer["method"], answer["body"]) == ("POST", "hi")


async def test_name_that_turns_private_between_two_requests_is_refused(
    server: LoopbackServer,
) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    outbound = answering(*answers)
    url = f"http://rebinding.example.com:{server.port}"
    await send(f"{url}/echo", outbound)
    with pytest.raises(OutboundRefused):
        await send(f"{url}/echo", outbound)


async def test_name_with_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(OutboundRefused):
        await send("http://mixed.example.com/", answering([PUBLIC, "10.0.0.1"]))


async def test_next_address_is_tried_when_nobody_answers_at_the_first(
    server: LoopbackServer,
) -> None:
    await send(f"http://two.example.com:{server.port}/echo", answering(["127.9.9.9", "127.0.0.1"]))
    assert seen == ["/echo"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_a_forbidden_address_is_refused(
    server: LoopbackServer, status: int
) -> None:
    outbound = answering(["127.0.0.1"], ["169.254.169.254"])
    url = f"http://a.example.com:{server.port}/to?status={status}&to=http://b.example.com/latest"
    with pytest.raises(OutboundRefused):
        await send(url, outbound, redirects=3)
    assert seen == ["/to"]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "http://u:p@a.example.com/", "gopher://a.example.com/"]
)
async def test_redirect_to_what_is_no_address_is_refused(
    server: LoopbackServer, target: str
) -> None:
    url = f"http://a.example.com:{server.port}/to?to={target}"
    with pytest.raises((OutboundRefused, OutboundFailed)):
        await send(url, answering(["127.0.0.1"], ["127.0.0.1"]), redirects=3)


async def test_redirects_are_answers_unless_they_are_to_be_followed(
    server: LoopbackServer,
) -> None:
    url = f"{server.url}/to?to={server.url}/echo"
    answer = await Outbound(LOOPBACK).send(OutboundRequest("GET", url))
    assert (answer.status, seen) == (302, ["/to"])


async def test_redirects_end(server: LoopbackServer) -> None:
    url = f"{server.url}/to?to=/to%3Fto=/to%3Fto=/echo"
    with pytest.raises(OutboundFailed, match="too often"):
        await send(url, Outbound(LOOPBACK), redirects=1)


@pytest.mark.parametrize(("host", "sent"), [("a", True), ("b", False)])
async def test_secret_headers_follow_a_redirect_to_the_same_origin_only(
    server: LoopbackServer, host: str, sent: bool
) -> None:
    outbound = answering(["127.0.0.1"], ["127.0.0.1"])
    target = f"http://{host}.example.com:{server.port}/echo"
    url = f"http://a.example.com:{server.port}/to?to={target}"
    asked = OutboundRequest("GET", url, headers=SECRET, redirects=1)
    headers = json.loads((await outbound.send(asked)).body)["headers"]
    assert ("x-key" in headers) is sent


async def test_large_answer_is_cut_off(server: LoopbackServer) -> None:
    with pytest.raises(OutboundFailed, match="larger"):
        await send(f"{server.url}/flood", Outbound(LOOPBACK), max_bytes=100_000)


async def test_compressed_answer_is_refused(server: LoopbackServer) -> None:
    with pytest.raises(OutboundFailed, match="compressed"):
        await send(f"{server.url}/bomb", Outbound(LOOPBACK))


@pytest.mark.parametrize("path", ["sleep", "drip"])
async def test_slow_answer_ends_in_time(server: LoopbackServer, path: str) -> None:
    with pytest.raises(OutboundTimeout):
        await send(f"{server.url}/{path}", Outbound(LOOPBACK), timeout_s=0.3)


async def test_proxies_of_the_environment_are_not_used(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await send(f"{server.url}/echo", Outbound(LOOPBACK))
    assert seen == ["/echo"]


@pytest.mark.parametrize(
    "headers", [{"X-Key": "k-secret-canary\r\nX-Evil: 1"}, {"X Key": "k-secret-canary"}]
)
async def test_headers_cannot_be_smuggled_in(
    server: LoopbackServer, headers: dict[str, str]
) -> None:
    with pytest.raises((OutboundRefused, OutboundFailed)) as caught:
        await send(f"{server.url}/echo", Outbound(LOOPBACK), headers=headers)
    assert "canary" not in caught.value.message


@asynccontextmanager
async def tls_server(folder: Path, name: str) -> AsyncIterator[tuple[int, list[str], Path]]:
    """A TLS server with a certificate of its own for ``name``: port, names asked for, certificate.

    It answers everything with 204.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    pem = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    asked: list[str] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    context.sni_callback = lambda _, server_name, __: asked.append(str(server_name))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked, pem


async def test_certificate_is_checked_for_the_name_though_the_address_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_server(tmp_path, "tools.example.com") as (port, asked, pem):
        trusting = ssl.create_default_context(cafile=pem)
        monkeypatch.setattr("app.core.outbound.tls", lambda: trusting)
        await send(f"https://tools.example.com:{port}/", answering(["127.0.0.1"]))
        with pytest.raises(OutboundFailed):
            await send(f"https://other.example.com:{port}/", answering(["127.0.0.1"]))
    assert asked == ["tools.example.com", "other.example.com"]


async def test_no_error_tells_a_secret(server: LoopbackServer) -> None:
    urls = ["http://u:canary@h/", "http://10.0.0.1/?key=canary", "http://127.0.0.1:1/canary"]
    for url in [*urls, f"{server.url}/flood?key=canary"]:
        with pytest.raises(AppError) as caught:
            await send(url, Outbound(LOOPBACK), headers=SECRET, max_bytes=10)
        assert "canary" not in caught.value.message + str(caught.value.details)
