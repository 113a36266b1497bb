"""Faults of our own in earnest: none of them may look like a fault of a site."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase
from tests.loopback import Authorities, answer, serving
from tests.probing import STARTED_AT, a_site, observe, unknown

ROOT = Path(__file__).parents[3]
PATIENCE = timedelta(seconds=60)
"""Of each probe here: longer than any machine needs, for nothing waits for its end."""


async def test_three_hundred_sites_and_a_hundred_descriptors(authorities: Authorities) -> None:
    async with (
        serving(answer()) as plain,
        serving(answer(), tls=authorities.tls("127.0.0.1", "localhost")) as secure,
    ):
        urls = [
            server.url(f"/{number}", host=host)
            for number in range(75)
            for server in (plain, secure)
            for host in ("127.0.0.1", "localhost")
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.probing.starved", "100", authorities.file,
            *urls, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
    rush, after = json.loads(output)
    assert sum(rush.values()) == 300
    assert set(rush) == {"up", "unknown own_resources"}
    assert after == {"up": 30}


# Ports. A socket may be told to use one port alone, which somebody else has.

_IP_LOCAL_PORT_RANGE = 51  # of Linux; Python has no name for it
_only_port: list[int] = []


def _narrow(event: str, args: tuple[object, ...]) -> None:
    if event != "socket.connect" or not _only_port:
        return
    opened, _end = args
    if isinstance(opened, socket.socket) and opened.type == socket.SOCK_STREAM:
        only = struct.pack("HH", _only_port[0], _only_port[0])
        try:
            opened.setsockopt(socket.IPPROTO_IP, _IP_LOCAL_PORT_RANGE, only)
        except OSError:  # an old kernel
            raise OSError(errno.EADDRNOTAVAIL, "no port") from None


sys.addaudithook(_narrow)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]
    _only_port.clear()


@pytest.mark.parametrize("every", [False, True])
async def test_no_ports_left_is_our_own_fault(prober: Prober, taken_port: int, every: bool) -> None:
    async with serving(answer()) as server:
        url = server.url(host="site.test")
        _only_port.append(taken_port)
        seen = await observe(prober, url, every_address=every)
        _only_port.clear()
        after = await observe(prober, url, every_address=every)
    unknown(Cause.OWN_RESOURCES, Phase.CONNECT, "the prober can open no socket").check(seen)
    assert server.connections == 1
    assert after.cause is None


# Lookups.


async def test_twelve_hanging_names_leave_the_other_sites_alone() -> None:
    """They hang until every other site has been seen: none of those can have waited for them."""
    gate = threading.Event()

    def system_lookup(host: str, _family: int) -> Sequence[str]:
        if host.startswith("hangs"):
            gate.wait()
        return ["127.0.0.1"]

    prober = Prober(transport=CurlTransport(system_lookup=system_lookup))
    turns = asyncio.Semaphore(20)

    async def look(url: str) -> Observation:
        async with turns:
            return await prober.probe(a_site(url, timeout=PATIENCE), started_at=STARTED_AT)

    async def hang(url: str) -> Observation:  # takes no turn, for it does not end in one
        return await prober.probe(a_site(url, timeout=PATIENCE), started_at=STARTED_AT)

    async with serving(answer()) as server:
        try:
            hanging = [server.url(host=f"hangs-{number}.test") for number in range(12)]
            stuck = [asyncio.create_task(hang(url)) for url in hanging]
            good = [server.url(host=f"site-{number}.test") for number in range(188)]
            beside = await asyncio.gather(*map(look, good))
            are_over = [task.done() for task in stuck]
            gate.set()
            then = await asyncio.gather(*stuck)
        finally:
            gate.set()
            await prober.aclose()
    assert {each.cause for each in beside} == {None}
    assert are_over == [False] * 12
    assert {each.cause for each in then} == {None}
