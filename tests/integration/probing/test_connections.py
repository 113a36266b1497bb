"""Names, addresses and connections: what stands between us and a site."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Sequence
from urllib.parse import quote

import httpx
import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import Authorities, answer, serving
from tests.probing import (
    SOON,
    UP,
    Told,
    cases,
    down,
    observe,
    unknown,
)


async def test_a_refused_connection(prober: Prober) -> None:
    async with serving(answer()) as server:
        url = server.url()
    seen = await observe(prober, url)
    told = f"127.0.0.1 port {server.port} refused the connection"
    down(Cause.CONNECT_REFUSED, Phase.CONNECT, told).check(seen)
    assert seen.message == told


async def test_a_site_on_two_addresses_of_which_one_is_dead(prober: Prober) -> None:
    async with serving(answer()) as server:  # on IPv4 alone
        seen = await observe(prober, server.url(host="two.test"))
    assert (seen.cause, seen.remote_address) == (None, "127.0.0.1")


async def test_a_site_on_ipv6(prober: Prober) -> None:
    if not loopback.has_ipv6():
        pytest.skip("this host has no IPv6")
    async with serving(answer(), host="::1") as server:
        seen = await observe(prober, server.url())
        blocked = await observe(prober, server.url(), allow_networks=())
    assert (seen.cause, seen.remote_address) == (None, "::1")
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
    assert (blocked.cause, server.connections) == (Cause.ADDRESS_BLOCKED, 1)


async def test_the_deadline_ends_a_lookup_and_hanging_names_hold_up_nobody(
    authorities: Authorities,
) -> None:
    over = threading.Event()

    def hanging_lookup(host: str, _family: int) -> Sequence[str]:
        if host.startswith("hangs"):
            over.wait()
        return ["127.0.0.1"]

    prober = Prober(transport=CurlTransport(system_lookup=hanging_lookup))
    try:
        async with serving(answer()) as server:
            hanging = [
                asyncio.create_task(observe(prober, server.url(host=f"hangs{n}.test"), **SOON))
                for n in range(40)
            ]
            healthy = [await observe(prober, server.url(host=f"well{n}.test")) for n in range(5)]
            seen = await asyncio.gather(*hanging)
    finally:
        over.set()
        await prober.aclose()
    assert [each.cause for each in healthy] == [None] * 5
    for each in seen:
        down(Cause.DNS_TIMEOUT, Phase.RESOLVE, "no name server gave an address").check(each)


async def test_a_host_that_accepts_no_connection(prober: Prober) -> None:
    """A full queue: the kernel drops what comes, as a firewall would."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            seen = await observe(prober, f"http://127.0.0.1:{port}/", **SOON)
        finally:
            for each in waiting:
                each.close()
    down(Cause.CONNECT_TIMEOUT, Phase.CONNECT, "accepted no connection within 0.4 s").check(seen)
    assert seen.phases.connect >= 0.3


NO_ADDRESS: dict[str, tuple[str, Told]] = {
    "unknown": ("gone.test", down(Cause.DNS_NOT_FOUND, Phase.RESOLVE, "gone.test has no address")),
    "no answer": (
        "again.test",
        down(Cause.DNS_FAILURE, Phase.RESOLVE, "the name servers gave no answer for again.test"),
    ),
    "refused": (
        "fails.test",
        down(Cause.DNS_FAILURE, Phase.RESOLVE, "the name servers gave no answer for fails.test"),
    ),
    "the prober has no memory": (
        "memory.test",
        unknown(Cause.OWN_RESOURCES, Phase.RESOLVE, "the prober could not look up memory.test"),
    ),
}


@cases(NO_ADDRESS, "host told")
async def test_a_name_that_gives_no_address(prober: Prober, host: str, told: Told) -> None:
    told.check(await observe(prober, f"http://{host}/"))


async def test_an_answer_is_gone_without_the_garbage_collector(prober: Prober) -> None:
    """Else the bodies of all sites would lie about until the collector stops everything."""
    async with serving(answer()) as server:
        await observe(prober, server.url())
        gc.collect()
        others = responses()
        gc.disable()
        try:
            await observe(prober, server.url())
            left = responses()
        finally:
            gc.enable()
    assert left == others


def responses() -> list[httpx.Response]:
    """Return every answer that is still there, those of other tests too."""
    return [each for each in gc.get_objects() if isinstance(each, httpx.Response)]


SPELT: dict[str, tuple[str, str, str]] = {
    "an international name": ("bücher.test", "/", "xn--bcher-kva.test"),
    "in its other spelling": ("xn--bcher-kva.test", "/", "xn--bcher-kva.test"),
    "capitals": ("Site.TEST", "/", "site.test"),
    "a dot at the end": ("site.test.", "/", "site.test."),
    "percent signs": ("site.test", "/a%2Fb%20c?q=%26&r=1", "site.test"),
    "letters beyond ASCII": ("site.test", "/größe?q=ü", "site.test"),
}


@cases(SPELT, "host target named")
async def test_a_url_is_asked_for_as_it_is_written(
    prober: Prober, host: str, target: str, named: str
) -> None:
    async with serving(answer()) as server:
        seen = await observe(prober, server.url(target, host=host))
    UP.check(seen)
    (asked,) = server.requests
    assert asked.headers["host"] == f"{named}:{server.port}"
    assert asked.target == quote(target, safe="/?=&%")
