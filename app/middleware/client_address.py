"""Who asks, and by which scheme: from the connection, or from proxies that are ours.

Each proxy adds to the end of ``X-Forwarded-For`` the address that it was asked by. So the list is
read from its end, for as long as those who wrote are trusted; what a client claims itself stands
before that. ``X-Forwarded-Host`` and ``Forwarded`` are never read: PUBLIC_ORIGIN says who we are.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.addresses import Address, Network, embedded

FORWARDED_FOR, FORWARDED_PROTO = b"x-forwarded-for", b"x-forwarded-proto"
SCHEMES = {"http": ("http", "ws"), "https": ("https", "wss"), "ws": ("", "ws"), "wss": ("", "wss")}
MAX_HOPS = 32


@lru_cache(maxsize=4096)
def parsed(text: str) -> Address | None:
    """An address in any of the forms that proxies write, the port left out; ``None`` for others."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return plain(ip_address(text.partition("%")[0]))
    except ValueError:
        return None


def plain(address: Address) -> Address:
    """IPv4 as such, also where a socket for both kinds shows it as IPv6 (``::ffff:192.0.2.1``)."""
    mapped = getattr(address, "ipv4_mapped", None)
    return embedded(address) if mapped is not None else address


def listed(scope: Scope, name: bytes) -> list[str]:
    """The values of a header that may be a list, and be sent several times, in their order."""
    values = [value.decode("latin-1") for given, value in scope["headers"] if given == name]
    return [part.strip() for part in ",".join(values).split(",")] if values else []


class ClientAddressMiddleware:
    """Sets the ``client`` and the ``scheme`` of a request."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app = app
        self.trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope.get("client"):
            peer = parsed(scope["client"][0])
            if peer is not None:
                self._read(scope, peer)
        await self.app(scope, receive, send)

    def _read(self, scope: Scope, peer: Address) -> None:
        client = peer
        if self._trusts(peer):
            client = self._client(peer, listed(scope, FORWARDED_FOR))
            self._read_scheme(scope)
        port = scope["client"][1] if client == peer else 0
        scope["client"] = (str(client), port)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)

    def _client(self, peer: Address, hops: Sequence[str]) -> Address:
        """The nearest address that is none of ours, as far as it can be read."""
        client = peer
        for hop in hops[: -MAX_HOPS - 1 : -1]:
            address = parsed(hop)
            if address is None:
                return client
            client = address
            if not self._trusts(address):
                return client
        return client

    @staticmethod
    def _read_scheme(scope: Scope) -> None:
        values = listed(scope, FORWARDED_PROTO)
        for_http, for_socket = SCHEMES.get(values[-1].lower(), ("", "")) if values else ("", "")
        said = for_http if scope["type"] == "http" else for_socket
        scope["scheme"] = said or scope["scheme"]
