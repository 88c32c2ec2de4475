"""Whether an address is plainly this installation's own."""

import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """Where it listens, and under which names it is reached, directly or through a proxy."""

    host: str
    port: int
    origin: str | None
    names: Collection[str]

    def includes(self, url: str) -> bool:
        host, port = place_of(url)
        if self.origin is not None and (host, port) == place_of(self.origin):
            return True
        if port == self.port:
            return host in (self.host, *self.names) or is_this_machine(host)
        return port in DEFAULT_PORTS.values() and host in self.names and not is_this_machine(host)


def place_of(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or DEFAULT_PORTS.get(parts.scheme)


def is_this_machine(host: str) -> bool:
    if host in ("localhost", socket.gethostname()) or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
