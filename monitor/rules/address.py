"""Which addresses a probe may connect to: the global ones, and networks that are allowed by name.

The table is our own, drawn from the IANA special-purpose registries for IPv4 and IPv6 and from the
addresses at which cloud providers answer their machines' questions. The standard library's
``is_global`` is not used: what it calls global differs between Python's patch releases.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

from monitor.rules.site import Network

_DENIED_V4 = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "a cloud provider's own"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "reserved for documentation"),
    ("192.31.196.0/24", "reserved for AS112"),
    ("192.52.193.0/24", "reserved for relays"),
    ("192.88.99.0/24", "reserved for relays"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved for AS112"),
    ("198.18.0.0/15", "reserved for benchmarks"),
    ("198.51.100.0/24", "reserved for documentation"),
    ("203.0.113.0/24", "reserved for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)

_DENIED_V6 = (
    ("::1/128", "loopback"),
    ("::ffff:0:0/96", "an IPv4 address in disguise"),
    ("64:ff9b::/96", "an IPv4 address behind NAT64"),
    ("64:ff9b:1::/48", "an IPv4 address behind NAT64"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
    ("2001::/32", "an IPv4 address behind Teredo"),
    ("2001::/23", "reserved for protocols"),
    ("2001:db8::/32", "reserved for documentation"),
    ("2002::/16", "an IPv4 address behind 6to4"),
    ("2620:4f:8000::/48", "reserved for AS112"),
    ("3fff::/20", "reserved for documentation"),
)

_V4 = tuple((IPv4Network(network), why) for network, why in _DENIED_V4)
_V6 = tuple((IPv6Network(network), why) for network, why in _DENIED_V6)
_GLOBAL_V6 = IPv6Network("2000::/3")


@lru_cache(maxsize=4096)
def why_not_global(address: str) -> str | None:
    """Tell in a few words why ``address`` is not a global one; None if it is.

    ``address`` is written as numbers, with or without an IPv6 zone; anything else is a ValueError.
    Of IPv6, only what IANA has given out as global unicast is global.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return next((why for network, why in _V4 if parsed in network), None)
    reason = next((why for network, why in _V6 if parsed in network), None)
    if reason is None and parsed not in _GLOBAL_V6:
        return "reserved"
    return reason


def is_in(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether ``address`` (as numbers) lies in one of ``networks``, taken literally.

    An IPv4 address in IPv6 disguise lies in IPv6 networks only.
    """
    parsed = ip_address(address.partition("%")[0])
    return any(parsed.version == network.version and parsed in network for network in networks)


def why_blocked(address: str, allow_networks: Iterable[Network]) -> str | None:
    """Tell why a probe may not connect to ``address`` (as numbers); None if it may."""
    reason = why_not_global(address)
    if reason is None or is_in(address, allow_networks):
        return None
    return reason
