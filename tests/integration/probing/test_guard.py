"""Nothing leads a probe to an address that is denied: no spelling, no redirect, no lookup."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import answer, serving
from tests.probing import (
    NAMES,
    observe,
)

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001",
    "0177.0.0.1", "127.0.0.1.", "127.1.2.3", "0", "0.0.0.0", "localhost", "LOCALHOST",
    "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]", "169.254.169.254",
    "10.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.1.1", "168.63.129.16", "[fd00:ec2::254]",
    "[fe80::1]", "[fec0::1]", "224.0.0.1", "255.255.255.255", "192.0.2.1", "[2001:db8::1]",
    "[3fff::1]", "inside.test", "％31２７.０.０.１", "１２７.０.０.１", "①②⑦.⓪.⓪.①",
]  # fmt: skip


@pytest.fixture(scope="module")
def guarded_names() -> Iterator[None]:
    NAMES.update({"localhost": ["127.0.0.1", "::1"], "localhost.": ["127.0.0.1"]})
    yield
    del NAMES["localhost"], NAMES["localhost."]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inner_address_is_connected_to(
    prober: Prober, guarded_names: None, spelling: str
) -> None:
    async with serving(answer()) as canary:
        url = f"http://{spelling}:{canary.port}/"
        seen = await observe(prober, url, allow_networks=())
        assert canary.connections == 0
        assert seen.cause in {Cause.ADDRESS_BLOCKED, Cause.PROTOCOL_ERROR, Cause.DNS_FAILURE}
        async with serving(loopback.redirect(url), host="127.0.0.2") as outside:
            allowed = (ip_network("127.0.0.2/32"),)
            seen = await observe(prober, outside.url(), allow_networks=allowed)
        assert (outside.connections, canary.connections) == (1, 0)
    assert seen.cause in {Cause.ADDRESS_BLOCKED, Cause.REDIRECT_INVALID, Cause.DNS_FAILURE}


async def test_a_blocked_address_is_named(prober: Prober) -> None:
    seen = await observe(prober, "http://inside.test/", allow_networks=())
    assert (seen.cause, seen.failed_phase) == (Cause.ADDRESS_BLOCKED, Phase.CONNECT)
    assert seen.message == (
        "inside.test may not be probed: 127.0.0.1 is loopback, and in no allowed network"
    )
    assert seen.remote_address is None


async def test_an_answer_that_changes_from_lookup_to_lookup_opens_no_way_in() -> None:
    answers = iter(["127.0.0.2", "127.0.0.1"] * 10)
    prober = Prober(transport=CurlTransport(system_lookup=lambda _host, _family: [next(answers)]))
    try:
        async with (
            serving(answer()) as canary,
            serving(answer(), host="127.0.0.2", port=canary.port) as outside,
        ):
            url, allowed = canary.url(host="rebinds.test"), (ip_network("127.0.0.2/32"),)
            seen = [await observe(prober, url, allow_networks=allowed) for _ in range(20)]
    finally:
        await prober.aclose()
    assert [each.cause for each in seen] == [None, Cause.ADDRESS_BLOCKED] * 10
    assert (outside.connections, canary.connections) == (10, 0)
