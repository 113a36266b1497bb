"""Nothing leads a probe to an address that is denied: no spelling, no redirect, no lookup."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network

import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.loopback import Server, answer, serving
from tests.probing import cases, down, observe

SPELLINGS = {
    "loopback": ["127.0.0.1", "127.1.2.3", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]"],
    "short": ["127.1", "127.0.1", "0", "0.0.0.0", "[::]"],
    "one number": ["2130706433", "0x7f000001", "0X7F000001", "017700000001", "0000017700000001"],
    "octal and hexadecimal parts": [
        "0177.0.0.1", "0177.0.0.01", "0x7f.0.0.1", "0x7f.1", "0x7f.0x0.0x0.0x1", "00000177.0.0.1",
    ],
    "dots": ["127.0.0.1.", "127.0.0.1..", "127.1.", "localhost.", "inside.test"],
    "names": ["localhost", "LOCALHOST", "localHost"],
    "IPv4 in IPv6": [
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:FFFF:7F00:1]", "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
    ],
    "IPv4 behind relays": [
        "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
        "[2002:7f00:0001::1]", "[2001:0:1::1]",
    ],
    "zones": ["[::1%25lo]", "[::1%lo]", "[fe80::1%25lo]", "[fe80::1]"],
    "cloud providers": [
        "169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]", "168.63.129.16", "metadata.test",
    ],
    "private": [
        "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "192.168.257",
        "100.64.0.1", "[fd00::1]", "[fec0::1]",
    ],
    "neither here nor there": [
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "[2001:db8::1]", "[3fff::1]",
        "[ff02::1]", "[100::1]",
    ],
    "digits of other scripts": [
        "％31２７.０.０.１", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1",
    ],
    "percent signs": ["%31%32%37.0.0.1", "127.0.0%2e1"],
    "users": ["site.test@127.0.0.1", "127.0.0.1@inside.test", "site.test:80@127.0.0.1"],
    "backslashes": ["site.test\\@127.0.0.1", "127.0.0.1\\"],
}  # fmt: skip
"""Ways to write an address that is denied, most of them the canary's own."""

REFUSALS = {
    Cause.ADDRESS_BLOCKED,  # it was read as an address and is denied
    Cause.PROTOCOL_ERROR,  # no site's URL may look so
    Cause.REDIRECT_INVALID,  # nor that of a redirect
    Cause.DNS_FAILURE,  # it was read as a name, which nobody knows here
    Cause.DNS_NOT_FOUND,
}


@dataclass
class Canary:
    """Listens on this host's loopback addresses and counts who comes."""

    servers: list[Server]

    @property
    def port(self) -> int:
        return self.servers[0].port

    @property
    def connections(self) -> int:
        return sum(server.connections for server in self.servers)


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(answer()))
        servers = [first]
        if loopback.has_ipv6():
            servers.append(
                await stack.enter_async_context(serving(answer(), host="::1", port=first.port))
            )
        yield Canary(servers)


@pytest.mark.parametrize(
    "spelling",
    [pytest.param(each, id=f"{kind}: {each}") for kind in SPELLINGS for each in SPELLINGS[kind]],
)
async def test_no_spelling_of_an_inner_address_is_connected_to(
    prober: Prober, canary: Canary, spelling: str
) -> None:
    url = f"http://{spelling}:{canary.port}/"
    straight = await observe(prober, url, allow_networks=())
    async with serving(loopback.redirect(url), host="127.0.0.2") as outside:
        allowed = (ip_network("127.0.0.2/32"),)
        round_about = await observe(prober, outside.url(), allow_networks=allowed)
    for seen in (straight, round_about):
        assert seen.cause in REFUSALS, seen.message
        assert judge(seen, slow_after=timedelta(0)).verdict is Verdict.DOWN
    assert (outside.connections, canary.connections) == (1, 0)


@pytest.mark.parametrize("spelling", ["127.1", "0x7f.1", "2130706433", "127.0.0.1.", "localhost"])
async def test_the_canary_would_sing(prober: Prober, canary: Canary, spelling: str) -> None:
    """Where an address is allowed, the same spellings do lead there."""
    allowed = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    seen = await observe(prober, f"http://{spelling}:{canary.port}/", allow_networks=allowed)
    assert (seen.cause, canary.connections) == (None, 1)


async def test_a_blocked_address_is_named(prober: Prober) -> None:
    seen = await observe(prober, "http://inside.test/", allow_networks=())
    assert (seen.cause, seen.failed_phase) == (Cause.ADDRESS_BLOCKED, Phase.CONNECT)
    assert seen.message == (
        "inside.test may not be probed: 127.0.0.1 is loopback, and in no allowed network"
    )
    assert seen.remote_address is None


OUTSIDE = "127.0.0.2"

ANSWERS: dict[str, tuple[list[list[str]], int]] = {
    "outside first, then inside": ([[OUTSIDE], ["127.0.0.1"]], 1),
    "inside first, then outside": ([["127.0.0.1"], [OUTSIDE]], 1),
    "outside, then inside in disguise": ([[OUTSIDE], ["::ffff:127.0.0.1"]], 1),
    "outside, then every inner one": (
        [[OUTSIDE], ["0.0.0.0", "::1", "::", "127.0.0.1", "10.0.0.1", "169.254.169.254"]],
        1,
    ),
    "both at once, outside first": ([[OUTSIDE, "127.0.0.1"]], 2),
    "both at once, inside first": ([["127.0.0.1", OUTSIDE]], 2),
    "inside alone": ([["127.0.0.1"], ["::1"]], 0),
}
"""What the name servers say from lookup to lookup, and how many of two probes get an answer."""


@cases(ANSWERS, "answers reached")
async def test_no_answer_of_a_name_server_opens_a_way_in(
    canary: Canary, answers: list[list[str]], reached: int
) -> None:
    """However often and whatever they answer; also to the second hop of a probe."""
    turns = itertools.cycle(answers)
    prober = Prober(transport=CurlTransport(system_lookup=lambda _host, _family: next(turns)))
    allowed = (ip_network(f"{OUTSIDE}/32"),)
    try:
        async with serving(answer(), host=OUTSIDE, port=canary.port) as outside:
            url = outside.url(host="rebinds.test")
            seen = [await observe(prober, url, allow_networks=allowed) for _ in range(8)]
    finally:
        await prober.aclose()
    assert canary.connections == 0
    assert outside.connections == 4 * reached
    assert [each.cause for each in seen].count(None) == 4 * reached
    assert {each.cause for each in seen} <= {None, Cause.ADDRESS_BLOCKED}


async def test_a_name_that_moves_inside_between_two_hops(canary: Canary) -> None:
    turns = itertools.cycle([[OUTSIDE], ["127.0.0.1"]])
    prober = Prober(transport=CurlTransport(system_lookup=lambda _host, _family: next(turns)))
    allowed = (ip_network(f"{OUTSIDE}/32"),)
    script = loopback.pages({"/": loopback.redirect("/inner"), "/inner": answer()})
    try:
        async with serving(script, host=OUTSIDE, port=canary.port) as outside:
            url = outside.url(host="rebinds.test")
            seen = await observe(prober, url, allow_networks=allowed)
    finally:
        await prober.aclose()
    down(Cause.ADDRESS_BLOCKED, Phase.CONNECT, "rebinds.test may not be probed").check(seen)
    assert (outside.connections, canary.connections) == (1, 0)
    assert seen.hops == (url, outside.url("/inner", host="rebinds.test"))
