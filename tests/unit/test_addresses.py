"""Which addresses may be called that others name: public ones, in every form of writing."""

from ipaddress import ip_network

import pytest

from app.core.addresses import literal, may_connect

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


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("example.com", None),
        ("10.example.com", None),
        ("", None),
    ],
)
def test_numbers_of_machines_are_told_from_names(host: str, address: str | None) -> None:
    assert literal(host) == address
