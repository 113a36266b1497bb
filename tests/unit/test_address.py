"""Which addresses may be connected to: every special block of the IANA registries is refused."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from monitor.rules.address import is_in, why_blocked, why_not_global

SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.0.192/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "168.63.129.16/32",
    "100.100.100.200/32", "169.254.169.254/32",
    "::/128", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
    "100:0:0:1::/64", "2001::/32", "2001:1::1/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
    "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
    "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fd00:ec2::254/128", "fe80::/10",
    "fec0::/10", "ff00::/8", "4000::/2", "8000::/1",
]  # fmt: skip

GLOBAL = [
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "9.255.255.255", "11.0.0.0", "100.63.255.255",
    "100.128.0.0", "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2003::1",
    "2000::1", "3ffe::1",
]  # fmt: skip


@pytest.mark.parametrize("block", SPECIAL)
def test_special_blocks_are_refused_from_end_to_end(block: str) -> None:
    network = ip_network(block)
    for address in (network[0], network[network.num_addresses // 2], network[-1]):
        assert why_not_global(str(address)), address
        assert why_blocked(str(address), ())


@pytest.mark.parametrize("address", GLOBAL)
def test_global_addresses_are_let_through(address: str) -> None:
    assert why_not_global(address) is None
    assert why_blocked(address, ()) is None


def test_the_reason_is_told() -> None:
    assert why_not_global("127.0.0.1") == "loopback"
    assert why_not_global("192.168.1.1") == "private"
    assert why_not_global("64:ff9b::7f00:1") == "an IPv4 address behind NAT64"
    assert why_not_global("::ffff:127.0.0.1") == "an IPv4 address in disguise"


def test_an_allowed_network_opens_itself_and_nothing_else() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/64"))
    assert why_blocked("10.1.2.3", allowed) is None
    assert why_blocked("fd00::5", allowed) is None
    assert why_blocked("10.2.0.1", allowed) == "private"
    assert why_blocked("fd00:0:0:1::", allowed) == "private"
    assert why_blocked("8.8.8.8", allowed) is None


def test_an_allowed_ipv4_network_does_not_allow_its_disguises() -> None:
    allowed = (ip_network("127.0.0.0/8"),)
    assert why_blocked("127.0.0.1", allowed) is None
    for disguise in ("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"):
        assert why_blocked(disguise, allowed), disguise


def test_a_zone_is_looked_past() -> None:
    assert why_not_global("fe80::1%eth0") == "link-local"
    assert is_in("fe80::1%eth0", (ip_network("fe80::/10"),))


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="localhost"):
        why_not_global("localhost")
