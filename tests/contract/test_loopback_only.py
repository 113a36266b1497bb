"""The tests' own promise: nothing leaves this host unseen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest

from monitor.prober import Prober
from monitor.rules.site import Site
from tests.plugins.loopback_only import is_loopback

FOREIGN_V4 = "192.0.2.1"
FOREIGN_V6 = "2001:db8::1"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST.", "a.localhost"],
)
def test_loopback_is_let_through(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", FOREIGN_V4, FOREIGN_V6, "::ffff:192.0.2.1", "example.com",
     "localhost.example.com", "127.0.0.1.example.com"],
)  # fmt: skip
def test_anything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def connect_by_socket() -> None:
    with socket.socket() as opened:
        opened.connect((FOREIGN_V4, 80))


def connect_by_name() -> None:
    socket.create_connection(("fettle.invalid", 80))


def send_a_datagram() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as opened:
        opened.sendto(b"?", (FOREIGN_V6, 53))


def listen_to_everyone() -> None:
    with socket.socket() as opened:
        opened.bind(("0.0.0.0", 0))


def connect_by_asyncio() -> None:
    asyncio.run(asyncio.open_connection(FOREIGN_V4, 80))


def connect_by_httpx() -> None:
    try:
        httpx.get(f"http://{FOREIGN_V4}/", trust_env=False)
    except httpx.ConnectError as error:
        raise OSError(str(error)) from error


def announce_as_egress_does() -> None:
    with socket.socket() as opened:
        sys.audit("socket.connect", opened, (FOREIGN_V4, 443))


@pytest.mark.parametrize(
    "leave",
    [
        connect_by_socket,
        connect_by_name,
        send_a_datagram,
        listen_to_everyone,
        connect_by_asyncio,
        connect_by_httpx,
        announce_as_egress_does,
    ],
)
def test_every_way_out_is_refused_and_noted(
    leave: Callable[[], None], loopback_refusals: list[str]
) -> None:
    with pytest.raises(OSError, match="stay on loopback"):
        leave()
    assert loopback_refusals
    loopback_refusals.clear()


def test_a_refusal_in_a_thread_is_noted_too(loopback_refusals: list[str]) -> None:
    def swallow() -> None:
        with contextlib.suppress(OSError):
            connect_by_socket()

    thread = threading.Thread(target=swallow)
    thread.start()
    thread.join()
    assert loopback_refusals == [f"socket.connect to {FOREIGN_V4}"]
    loopback_refusals.clear()


def test_loopback_itself_works() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as opened,
        server.accept()[0] as accepted,
    ):
        opened.sendall(b"hello")
        assert accepted.recv(5) == b"hello"


async def test_a_probe_by_libcurl_is_refused_and_noted(loopback_refusals: list[str]) -> None:
    site = Site(
        slug="foreign",
        client="harbour",
        name="Beyond loopback",
        url=f"http://{FOREIGN_V4}/",
        allow_networks=(ip_network(f"{FOREIGN_V4}/32"),),
    )
    prober = Prober()
    observation = await prober.probe(site, started_at=datetime(2026, 3, 3, 10, tzinfo=UTC))
    await prober.aclose()
    assert observation.http_status is None
    assert set(loopback_refusals) == {f"socket.connect to {FOREIGN_V4}"}
    loopback_refusals.clear()
