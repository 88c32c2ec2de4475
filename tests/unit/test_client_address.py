"""Whom a request is from: what proxies of ours say, and nothing that a client claims."""

from ipaddress import ip_network

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.core.addresses import counted_as
from app.middleware.client_address import ClientAddressMiddleware

PROXIES = [ip_network(text) for text in ("10.0.0.0/8", "fd00::/8")]


async def seen(
    peer: str, *headers: tuple[str, str], kind: str = "http", trusted: bool = True
) -> tuple[str, str]:
    """The address and the scheme as the product sees them."""
    found: Scope = {}

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        found.update(scope)

    async def receive() -> Message:
        raise AssertionError("Nothing is read.")

    async def send(_: Message) -> None:
        raise AssertionError("Nothing is answered.")

    scope: Scope = {
        "type": kind,
        "client": (peer, 1234),
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }
    await ClientAddressMiddleware(app, PROXIES if trusted else [])(scope, receive, send)
    return found["client"][0], found["scheme"]


@pytest.mark.parametrize(
    ("peer", "claimed", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.1.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["8.8.8.8, 198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["8.8.8.8", "198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["8.8.8.8, 198.51.100.1, 10.2.2.2"], "198.51.100.1"),
        ("10.1.1.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.1.1.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.1.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.1.1.1", ["2001:DB8:0::1"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.1.1.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.1.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.1.1.1", ["8.8.8.8, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["8.8.8.8, <b>, 10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", [", ".join(["8.8.8.8"] + ["10.2.2.2"] * 5000)], "10.2.2.2"),
    ],
)
async def test_client_is_who_asked_the_outermost_of_our_proxies(
    peer: str, claimed: list[str], client: str
) -> None:
    headers = [("X-Forwarded-For", value) for value in claimed]
    others = [("X-Real-IP", "8.8.8.8"), ("Forwarded", "for=8.8.8.8;proto=https")]
    assert (await seen(peer, *headers, *others))[0] == client


@pytest.mark.parametrize(
    ("kind", "claimed", "scheme"),
    [
        ("http", ["https"], "https"),
        ("http", ["http, https"], "https"),
        ("http", ["https", "http"], "http"),
        ("http", ["javascript"], "http"),
        ("http", ["wss"], "http"),
        ("websocket", ["https"], "wss"),
        ("websocket", ["wss"], "wss"),
    ],
)
async def test_scheme_is_what_the_nearest_proxy_says(
    kind: str, claimed: list[str], scheme: str
) -> None:
    headers = [("X-Forwarded-Proto", value) for value in claimed]
    assert (await seen("10.1.1.1", *headers, kind=kind))[1] == scheme
    unheard = await seen("10.1.1.1", *headers, kind=kind, trusted=False)
    assert unheard[1] == ("http" if kind == "http" else "ws")


def test_limits_count_a_network_of_ipv6_as_one() -> None:
    assert counted_as("2001:db8::1") == counted_as("2001:db8::ffff:1") == "2001:db8::/64"
    assert counted_as("2001:db8:0:1::1") != counted_as("2001:db8::1")
    assert counted_as("192.0.2.1") == "192.0.2.1"
    assert counted_as("unknown") == "unknown"
