"""Refuses every socket beyond loopback, in whatever library it is opened.

An audit hook sees each connection, datagram, bound address and name lookup that Python makes, also
those of asyncio and of threads. What leads beyond loopback is refused like an unreachable network
and fails the test in which it happened, even if the code under test swallowed the refusal.

libcurl and libpq connect in C, where no hook of Python's looks. ``monitor.egress`` therefore
announces each address that libcurl is about to connect to as the audit event ``socket.connect``;
libpq is only ever given the address of the PostgreSQL that the tests started. Processes that a test
starts are not watched.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

import pytest

_CONNECTING = frozenset({"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"})
_LOOKING_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_OWN_NAMES = frozenset({"", "localhost", socket.gethostname().lower()})

_refusals: list[str] = []


def is_loopback(host: str) -> bool:
    """Tell whether a name or address stays on this host without asking a name server."""
    name = host.lower().rstrip(".")
    if name in _OWN_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def is_address(host: str) -> bool:
    """Tell whether ``host`` is an address: looking one up asks nobody."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse(event: str, host: str) -> None:
    _refusals.append(f"{event} to {host}")
    raise OSError(errno.ENETUNREACH, f"tests stay on loopback: {event} to {host} was refused")


def _as_text(host: object) -> str:
    if isinstance(host, bytes | bytearray):
        return bytes(host).decode("idna" if host.isascii() else "utf-8", "replace")
    return "" if host is None else str(host)


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        address = args[1]
        if isinstance(address, tuple) and address:  # a unix socket's address is a path
            host = _as_text(address[0])
            if not is_loopback(host):
                _refuse(event, host)
    elif event in _LOOKING_UP:
        host = _as_text(args[0])
        if not is_address(host) and not is_loopback(host):
            _refuse(event, host)


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def loopback_refusals() -> Iterator[list[str]]:
    """Fail the test if anything led beyond loopback; a test that means to may clear the list."""
    _refusals.clear()
    yield _refusals
    if _refusals:
        pytest.fail("led beyond loopback: " + ", ".join(_refusals), pytrace=False)


def pytest_report_header() -> str:
    """Say in the run's header what is refused."""
    return "sockets: loopback only"
