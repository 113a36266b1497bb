"""Sites on many addresses: each of them probed, and warnings of dead ones that are passed over."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.loopback import Authorities, Script, Server, answer, late, redirect, serving
from tests.probing import SOON, a_site, observe, unknown

MANY = [f"127.0.0.{last}" for last in range(1, 5)]
NAMES = {
    "many.test": MANY,
    "crowd.test": [f"127.0.0.{last}" for last in range(1, 101)],
    "mixed.test": ["127.0.0.1", "10.1.2.3"],
    "other-mixed.test": ["10.1.2.3", "127.0.0.1"],
    "two.test": ["::1", "127.0.0.1"],
    "far.test": ["2001:db8::1", "127.0.0.1"],
    "only-far.test": ["2001:db8::1"],
    "two-v4.test": MANY[:2],
    "one.test": ["127.0.0.1"],
}
_asked: list[str] = []


def system_lookup(host: str, family: int) -> Sequence[str]:
    _asked.append(host)
    found = NAMES.get(host, [])
    if family == socket.AF_INET6:
        found = [address for address in found if ":" in address]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "as the test wants it")
    return found


@pytest.fixture
async def prober(authorities: Authorities) -> AsyncIterator[Prober]:
    _asked.clear()
    prober = Prober(
        transport=CurlTransport(ca_bundle=authorities.file, system_lookup=system_lookup)
    )
    yield prober
    await prober.aclose()


@contextlib.asynccontextmanager
async def serving_at(scripts: dict[str, Script]) -> AsyncIterator[dict[str, Server]]:
    """Serve a script at each address, all on one port."""
    async with contextlib.AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        port = 0
        for address, script in scripts.items():
            server = await stack.enter_async_context(serving(script, host=address, port=port))
            servers[address], port = server, server.port
        yield servers


# Every address probed.


async def test_every_address_is_probed(prober: Prober) -> None:
    async with serving_at(dict.fromkeys(MANY, answer())) as servers:
        url = servers[MANY[0]].url(host="many.test")
        seen = await observe(prober, url, every_address=True)
        assert [server.connections for server in servers.values()] == [1, 1, 1, 1]
        await observe(prober, url)
    assert (seen.cause, seen.message, seen.warnings) == (None, "", ())
    assert servers[MANY[3]].requests[0].headers["host"] == f"many.test:{servers[MANY[0]].port}"
    assert sum(server.connections for server in servers.values()) == 5
    assert _asked == ["many.test"] * 2


async def test_the_worst_address_speaks_for_the_site(prober: Prober) -> None:
    scripts = {
        MANY[0]: answer(),
        MANY[1]: answer(status="503 Busy"),
        MANY[2]: answer(),
    }
    async with serving_at(scripts) as servers:
        port = servers[MANY[0]].port
        seen = await observe(prober, servers[MANY[0]].url(host="many.test"), every_address=True)
    assert seen.cause in {Cause.HTTP_STATUS, Cause.CONNECT_REFUSED}
    assert seen.message.startswith("2 of 4 addresses answer well, 127.0.0.2, 127.0.0.4 fail: ")
    assert seen.remote_address in {"127.0.0.2", "127.0.0.4"}
    told = f"{seen.message} {seen.warnings}"
    assert "answered 503 Service Unavailable; expected 200-299" in told
    assert f"127.0.0.4 port {port} refused the connection" in told


async def test_a_slow_address_makes_the_site_slow(prober: Prober) -> None:
    scripts = dict.fromkeys(MANY, answer()) | {MANY[1]: late(0.3, answer())}
    async with serving_at(scripts) as servers:
        seen = await observe(
            prober,
            servers[MANY[0]].url(host="many.test"),
            every_address=True,
            slow_after=timedelta(seconds=0.25),
        )
    assert judge(seen, slow_after=timedelta(seconds=0.25)).verdict is Verdict.SLOW
    assert seen.remote_address == MANY[1]
    assert seen.warnings == ("1 of 4 addresses are slow: 127.0.0.2",)


async def test_all_addresses_share_one_deadline(prober: Prober) -> None:
    async with serving_at(dict.fromkeys(MANY, loopback.silent)) as servers:
        seen = await observe(
            prober, servers[MANY[0]].url(host="many.test"), every_address=True, **SOON
        )
    assert seen.cause is Cause.RESPONSE_TIMEOUT
    assert seen.message.startswith("0 of 4 addresses answer well, 127.0.0.1, 127.0.0.2, ")


async def test_of_a_crowd_of_addresses_sixteen_are_probed(prober: Prober) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://crowd.test:{closed.getsockname()[1]}/"
        seen = await observe(prober, url, every_address=True)
    assert seen.message.startswith("0 of 16 addresses answer well, ")
    assert len(seen.warnings) == 15


async def test_the_guard_judges_each_address(prober: Prober) -> None:
    async with serving(answer()) as server:
        seen = await observe(prober, server.url(host="mixed.test"), every_address=True)
    assert seen.cause is Cause.ADDRESS_BLOCKED
    assert seen.message == (
        "1 of 2 addresses answers well, 10.1.2.3 fails: mixed.test may not be probed: 10.1.2.3 is "
        "private, and in no allowed network"
    )


async def test_a_redirect_within_the_site_stays_with_the_address(prober: Prober) -> None:
    script = loopback.pages({"/": redirect("/in"), "/in": answer()})
    async with serving_at(dict.fromkeys(MANY, script)) as servers:
        seen = await observe(prober, servers[MANY[0]].url(host="many.test"), every_address=True)
    assert (seen.cause, len(seen.hops)) == (None, 2)
    for server in servers.values():
        assert [asked.target for asked in server.requests] == ["/", "/in"]


async def test_the_certificate_that_ends_first_counts(
    prober: Prober, authorities: Authorities
) -> None:
    def ending_in(days: int) -> ssl.SSLContext:
        return authorities.tls("many.test", valid=(timedelta(days=-1), timedelta(days=days)))

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(answer(), tls=ending_in(50)))
        for address, days in zip(MANY[1:], (5, 70, 90), strict=True):
            serves = serving(answer(), tls=ending_in(days), host=address, port=server.port)
            await stack.enter_async_context(serves)
        seen = await observe(prober, server.url(host="many.test"), every_address=True)
    assert seen.cause is None
    assert seen.certificate is not None
    assert seen.certificate.not_after - datetime.now(UTC) < timedelta(days=6)


async def test_an_expired_certificate_of_one_address_is_found(
    prober: Prober, authorities: Authorities
) -> None:
    past = (timedelta(days=-30), timedelta(days=-3))
    good = authorities.tls("two-v4.test")
    async with (
        serving(answer(), tls=good) as server,
        serving(
            answer(), tls=authorities.tls("two-v4.test", valid=past), host=MANY[1], port=server.port
        ),
    ):
        seen = await observe(prober, server.url(host="two-v4.test"), every_address=True)
    assert seen.cause is Cause.TLS_EXPIRED
    assert seen.message.startswith("1 of 2 addresses answers well, 127.0.0.2 fails: ")
    assert seen.certificate is not None
    assert not seen.certificate.verified


@pytest.mark.parametrize("host", ["one.test", "127.0.0.1"])
async def test_a_single_address_is_told_of_plainly(prober: Prober, host: str) -> None:
    async with serving(answer(status="503 Busy")) as server:
        seen = await observe(prober, server.url(host=host), every_address=True)
    assert seen.message == "answered 503 Service Unavailable; expected 200-299"


async def test_a_name_without_addresses(prober: Prober) -> None:
    seen = await observe(prober, "http://nowhere.test/", every_address=True)
    assert (seen.cause, seen.failed_phase) == (Cause.DNS_NOT_FOUND, Phase.RESOLVE)
    assert seen.hops == ("http://nowhere.test/",)


# Dead addresses that a browser passes over.


def passed_over(seen: Observation) -> tuple[str, str]:
    """Return who gave no connection and who did, by the one warning.

    Whether it tells a time hangs on the machine: tests/unit/test_routes.py sets the times.
    """
    (warning,) = seen.warnings
    words = re.fullmatch(r"(.+) gave no connection(?: within \d+\.\d s)?, and (.+) did", warning)
    assert words is not None, warning
    return words[1], words[2]


@pytest.fixture
def ipv6() -> None:
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            pytest.skip("this host has no IPv6")


@pytest.mark.usefixtures("ipv6")
async def test_a_dead_family_is_a_warning(prober: Prober) -> None:
    async with serving(answer()) as server:
        seen = await observe(prober, server.url(host="two.test"))
        fine = await observe(prober, server.url(host="one.test"))
    assert (seen.cause, seen.remote_address) == (None, "127.0.0.1")
    assert passed_over(seen) == ("IPv6 fails: ::1", "127.0.0.1")
    assert fine.warnings == ()


async def test_a_dead_address_among_good_ones_is_a_warning(prober: Prober) -> None:
    async with serving(answer(), host=MANY[1]) as server:
        seen = await observe(prober, server.url(host="many.test"))
    assert (seen.cause, seen.remote_address) == (None, MANY[1])
    assert passed_over(seen) == (MANY[0], MANY[1])


async def test_an_address_that_may_not_be_probed_is_a_warning(prober: Prober) -> None:
    async with serving(answer()) as server:
        seen = await observe(prober, server.url(host="other-mixed.test"))
    assert (seen.cause, seen.remote_address) == (None, "127.0.0.1")
    assert seen.warnings == ("10.1.2.3 is private",)


@contextlib.contextmanager
def full(host: str, port: int) -> Iterator[None]:
    """Listen, and let nobody in: like a firewall that says nothing."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(2):
            visitor = stack.enter_context(socket.socket())
            visitor.setblocking(False)
            visitor.connect_ex((host, port))
        yield


async def test_a_silent_address_among_good_ones_is_a_warning_with_a_time(prober: Prober) -> None:
    async with serving(answer(), host=MANY[1]) as server:
        with full(MANY[0], server.port):
            seen = await observe(prober, server.url(host="many.test"))
    assert (seen.cause, seen.remote_address) == (None, MANY[1])
    assert passed_over(seen) == (MANY[0], MANY[1])
    assert " within " in seen.warnings[0]


# One family only.


@pytest.mark.usefixtures("ipv6")
async def test_a_site_of_one_family(prober: Prober) -> None:
    async with serving(answer()) as server:
        six = await observe(prober, server.url(host="two.test"), ip_family=6)
        none = await observe(prober, server.url(host="one.test"), ip_family=6)
    assert six.cause is Cause.CONNECT_REFUSED
    assert none.cause is Cause.DNS_NOT_FOUND
    assert none.message == "the name one.test has no IPv6 address"


# A prober without IPv6: the tests' own guard makes it one, for all that is not loopback.

BEYOND = (ip_network("2001:db8::/32"), ip_network("127.0.0.0/8"))


async def test_without_ipv6_nothing_is_said_of_a_sites_ipv6(
    prober: Prober, loopback_refusals: list[str]
) -> None:
    async with serving(answer()) as server:
        url = server.url(host="far.test")
        seen = await observe(prober, url, allow_networks=BEYOND)
        every = await observe(prober, url, allow_networks=BEYOND, every_address=True)
    loopback_refusals.clear()
    assert (seen.cause, seen.warnings) == (None, ())
    assert (every.cause, every.remote_address) == (None, "127.0.0.1")
    assert every.warnings == ("this host has no IPv6 to try 2001:db8::1",)


@pytest.mark.parametrize("every", [False, True])
async def test_without_ipv6_a_site_that_has_nothing_else_is_unknown(
    prober: Prober, loopback_refusals: list[str], every: bool
) -> None:
    url = "http://only-far.test/"
    seen = await observe(prober, url, allow_networks=BEYOND, every_address=every)
    loopback_refusals.clear()
    unknown(
        Cause.OWN_NETWORK, Phase.CONNECT, "this host has no IPv6, and only-far.test no other"
    ).check(seen)


def test_a_site_has_one_address_by_default() -> None:
    assert not a_site("http://x.test/").every_address
