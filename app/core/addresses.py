"""Which addresses the product may connect to when somebody else names the place."""

import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What ``is_global`` of older Pythons takes for public (IANA's special-purpose registries).
NOT_PUBLIC: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "192.88.99.0/24",  # 6to4 relays, withdrawn
            "64:ff9b:1::/48",  # NAT64 of one's own network
            "2001::/32",  # Teredo
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "fec0::/10",  # site-local, withdrawn
        ),
    )
)
NAT64, SIX_TO_FOUR = IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16")
COMPATIBLE = IPv6Network("::/96")


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64 or 6to4."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64 or (address in COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether it is somewhere on the internet, in whatever form it is written."""
    reached = embedded(address)
    if address in NAT64 or address in SIX_TO_FOUR:
        return is_public(reached)
    special = reached.is_multicast or reached.is_reserved or reached.is_unspecified
    return reached.is_global and not special and not any(reached in net for net in NOT_PUBLIC)


def may_connect(text: str, allowed: Sequence[Network]) -> bool:
    """Whether a resolved address is public or in a network that the operator allows."""
    if "%" in text:  # an interface of this machine
        return False
    address = ip_address(text)
    forms = {address, embedded(address)}
    return is_public(address) or any(form in network for form in forms for network in allowed)


def literal(host: str) -> str | None:
    """The address that is written instead of a name, in any form that is looked up as one."""
    try:
        return str(ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        pass
    try:
        return str(IPv4Address(socket.inet_aton(host)))  # 127.1, 0x7f000001, 2130706433
    except (OSError, UnicodeError):
        return None


SITE_PREFIX = 64


def counted_as(text: str) -> str:
    """By what limits know an address: of IPv6 its network, of which one customer has all."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv4Address):
        return text
    return str(ip_network((address, SITE_PREFIX), strict=False))
