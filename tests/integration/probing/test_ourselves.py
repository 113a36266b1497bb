"""What is our own fault is never told as the fault of a site, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from datetime import timedelta

import pytest

from monitor.canary import Canaries
from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.loopback import Authorities, answer, serving
from tests.probing import (
    LOOPBACK,
    SOON,
    UP,
    down,
    observe,
    observe_script,
    unknown,
)


async def test_no_descriptors_left_is_our_own_fault(prober: Prober) -> None:
    async with serving(answer()) as server:
        await observe(prober, server.url())
        with loopback.no_descriptors():
            seen = await observe(prober, server.url())
        after = await observe(prober, server.url())
    unknown(Cause.OWN_RESOURCES, Phase.CONNECT, "the prober").check(seen)
    UP.check(after)


@pytest.mark.parametrize("left", range(6))
async def test_with_few_descriptors_left_no_site_gets_the_blame(
    authorities: Authorities, left: int
) -> None:
    prober = Prober(transport=CurlTransport(ca_bundle=authorities.file))
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, in its own queue
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            await observe(prober, url, timeout=timedelta(seconds=0.05))
            with loopback.no_descriptors(but=left):
                seen = await asyncio.gather(
                    *(observe(prober, url, timeout=timedelta(seconds=0.3)) for _ in range(12))
                )
    finally:
        await prober.aclose()
    causes = {each.cause for each in seen}
    assert Cause.OWN_RESOURCES in causes
    assert causes <= {Cause.OWN_RESOURCES, Cause.RESPONSE_TIMEOUT}


async def test_a_loop_that_stood_still_takes_the_blame(authorities: Authorities) -> None:
    stood_still = 6.0
    prober = Prober(loop_lag=lambda _since: stood_still)
    try:
        async with serving(answer(status="503 Busy")) as server:
            down = await observe(prober, server.url())
        async with serving(answer()) as server:
            up = await observe(prober, server.url())
            slow = await observe(prober, server.url(), slow_after=timedelta(0))
            stood_still = 0.4
            really = await observe(prober, server.url(), slow_after=timedelta(0))
    finally:
        await prober.aclose()
    assert down.cause is Cause.OWN_STALL
    assert down.message == "the prober itself stood still for 6.0 s during this probe"
    assert up.cause is None
    assert slow.cause is Cause.OWN_STALL
    assert judge(really, slow_after=timedelta(0)).verdict is Verdict.SLOW


async def test_canaries_are_asked_the_way_that_probes_go(prober: Prober) -> None:
    async with serving(answer()) as server:
        dead = server.url()
    site = await observe(prober, dead)
    async with serving(answer(status="404 Not Found")) as canary:
        well = Canaries([dead, canary.url()], reach=prober.reach, allow_networks=LOOPBACK)
        assert await well.excuse(site) == site
        blocked = Canaries([canary.url()], reach=prober.reach)
        assert (await blocked.excuse(site)).cause is Cause.OWN_NETWORK
    assert [asked.method for asked in canary.requests] == ["HEAD"]
    alone = Canaries([dead], reach=prober.reach, allow_networks=LOOPBACK)
    excused = await alone.excuse(site)
    assert (site.cause, excused.cause) == (Cause.CONNECT_REFUSED, Cause.OWN_NETWORK)
    assert judge(excused, slow_after=timedelta(seconds=60)).verdict is Verdict.UNKNOWN


async def test_cancelling_a_probe_closes_its_connection(prober: Prober) -> None:
    asked = asyncio.Event()

    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        asked.set()
        await visit.until_closed()

    async with serving(script) as server:
        for _ in range(3):
            task = asyncio.create_task(observe(prober, server.url()))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.closed.wait()
            asked.clear()
            server.closed.clear()
    again = await observe_script(prober, answer())
    assert (again.cause, again.title) == (None, "Welcome")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://127.0.0.1/", "begins with ftp:"),
        ("127.0.0.1", "begins with no scheme"),
        ("http://", "names no host"),
        ("http://anna:s3cret@127.0.0.1/", "holds a user name"),
        ("http://127.0.0.1:0/", "port 0"),
        ("http://127.0.0.1/a\tb", "a control character"),
        ("http://" + "a" * 70 + "\N{LATIN SMALL LETTER SHARP S}.test/", "URL"),
    ],
)
async def test_a_url_that_is_none(prober: Prober, url: str, says: str) -> None:
    seen = await observe(prober, url)
    down(Cause.PROTOCOL_ERROR, Phase.RESOLVE, says).check(seen)
    assert "s3cret" not in seen.message


async def test_a_closed_prober_leaves_nothing_behind(authorities: Authorities) -> None:
    def descriptors() -> set[str]:
        """What each open descriptor is: a socket with its own number, a pipe, a file."""
        found = set[str]()
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # that of the listing itself
                found.add(f"{name}: {os.readlink(f'/proc/self/fd/{name}')}")
        return found

    scripts = [answer(), loopback.hang_up, loopback.reset, loopback.redirect("/"), loopback.silent]
    before, tasks = descriptors(), asyncio.all_tasks()
    prober = Prober(transport=CurlTransport(ca_bundle=authorities.file))
    for script in scripts:
        async with (
            serving(script) as server,
            serving(script, tls=authorities.tls()) as secure,
        ):
            await asyncio.gather(
                *(observe(prober, each.url(), **SOON) for each in (server, secure) * 5)
            )
    unfinished = asyncio.create_task(observe(prober, "http://127.0.0.1:1/"))
    await asyncio.sleep(0)
    await prober.aclose()
    with pytest.raises(asyncio.CancelledError):
        await unfinished
    with contextlib.suppress(TimeoutError):  # the servers' ends are still closing
        async with asyncio.timeout(20):
            # Nobody tells when the last of them is closed.
            while asyncio.all_tasks() != tasks or descriptors() - before:  # noqa: ASYNC110
                await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert descriptors() - before == set()
