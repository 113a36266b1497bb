"""The canaries: asked only in doubt, once for all, and believed for a while."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from monitor.canary import Canaries, OwnNetwork
from monitor.rules.observation import NETWORK_CAUSES, Cause, Observation
from monitor.rules.site import Network

URLS = ("https://one.example/", "https://two.example/", "https://three.example/")


class FakeReach:
    """Answers from a table of causes; notes what was asked; waits until ``released``."""

    def __init__(self, causes: dict[str, Cause | None]) -> None:
        self.causes = causes
        self.asked: list[str] = []
        self.all_asked = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()
        self.cancelled = 0
        self.networks: tuple[Network, ...] = ()

    async def __call__(
        self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
    ) -> Cause | None:
        self.asked.append(url)
        if set(self.asked) == set(URLS):
            self.all_asked.set()
        self.networks = allow_networks
        assert within <= timedelta(seconds=3)
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.causes[url]


def all_answer(cause: Cause | None) -> FakeReach:
    return FakeReach(dict.fromkeys(URLS, cause))


def an_observation(cause: Cause | None) -> Observation:
    return Observation(
        url="https://www.example.com/",
        started_at=datetime(2026, 3, 9, 9, 0, tzinfo=UTC),
        duration_seconds=1.0,
        cause=cause,
        message="no answer" if cause else "",
        remote_address="93.184.215.14",
    )


async def test_one_answer_is_enough() -> None:
    reach = FakeReach({URLS[0]: Cause.CONNECT_TIMEOUT, URLS[1]: None, URLS[2]: Cause.DNS_FAILURE})
    assert await Canaries(URLS, reach=reach).is_network_well()
    assert sorted(reach.asked) == sorted(URLS)


async def test_silence_from_all_is_our_own_network() -> None:
    canaries = Canaries(URLS, reach=all_answer(Cause.CONNECT_TIMEOUT))
    assert not await canaries.is_network_well()
    seen = await canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT))
    assert seen.cause is Cause.OWN_NETWORK
    assert seen.message == ("the prober's own network is down: none of 3 canaries could be reached")
    assert seen.remote_address == "93.184.215.14"


async def test_names_that_nobody_resolves_are_our_own_resolver() -> None:
    reach = FakeReach(
        {URLS[0]: Cause.DNS_TIMEOUT, URLS[1]: Cause.DNS_FAILURE, URLS[2]: Cause.DNS_NOT_FOUND}
    )
    canaries = Canaries(URLS, reach=reach)
    assert await canaries.look() is OwnNetwork.NO_RESOLVER
    assert (await canaries.excuse(an_observation(Cause.DNS_FAILURE))).cause is Cause.OWN_RESOLVER


@pytest.mark.parametrize("cause", sorted(NETWORK_CAUSES))
async def test_what_a_dead_network_explains_is_excused(cause: Cause) -> None:
    dead = Canaries(URLS, reach=all_answer(Cause.CONNECT_UNREACHABLE))
    well = Canaries(URLS, reach=all_answer(None))
    assert (await dead.excuse(an_observation(cause))).cause is Cause.OWN_NETWORK
    assert await well.excuse(an_observation(cause)) == an_observation(cause)


@pytest.mark.parametrize("cause", [None, *sorted(set(Cause) - NETWORK_CAUSES)])
async def test_for_anything_else_nobody_is_asked(cause: Cause | None) -> None:
    reach = all_answer(Cause.CONNECT_UNREACHABLE)
    seen = await Canaries(URLS, reach=reach).excuse(an_observation(cause))
    assert seen == an_observation(cause)
    assert reach.asked == []


async def test_a_hundred_who_ask_at_once_ask_once() -> None:
    reach = all_answer(None)
    reach.released.clear()
    canaries = Canaries(URLS, reach=reach)
    asking = [asyncio.create_task(canaries.is_network_well()) for _ in range(100)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    reach.released.set()
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
    assert await asyncio.gather(*asking[1:]) == [True] * 99
    assert sorted(reach.asked) == sorted(URLS)


async def test_what_they_said_holds_for_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    real, ahead = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)
    reach = all_answer(Cause.CONNECT_TIMEOUT)
    canaries = Canaries(URLS, reach=reach)
    assert not await canaries.is_network_well()
    reach.causes.update(dict.fromkeys(URLS, None))
    ahead = 9.0
    assert not await canaries.is_network_well()
    assert len(reach.asked) == 3
    ahead = 10.5
    assert await canaries.is_network_well()
    assert len(reach.asked) == 6


async def test_the_first_answer_ends_the_asking() -> None:
    class OneIsSilent(FakeReach):
        async def __call__(
            self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
        ) -> Cause | None:
            if url != URLS[1]:
                self.released.clear()
                return await super().__call__(url, within=within)
            return None

    reach = OneIsSilent(dict.fromkeys(URLS, Cause.CONNECT_TIMEOUT))
    assert await Canaries(URLS, reach=reach).is_network_well()
    assert reach.cancelled == len(reach.asked)


async def test_without_canaries_we_trust_ourselves() -> None:
    reach = all_answer(Cause.CONNECT_TIMEOUT)
    canaries = Canaries((), reach=reach)
    assert await canaries.is_network_well()
    assert (await canaries.excuse(an_observation(Cause.DNS_TIMEOUT))).cause is Cause.DNS_TIMEOUT
    assert reach.asked == []


async def test_canaries_may_stand_in_allowed_networks() -> None:
    allowed = (ip_network("10.0.0.0/8"),)
    reach = all_answer(None)
    await Canaries(URLS, reach=reach, allow_networks=allowed).is_network_well()
    assert reach.networks == allowed


async def test_closing_stops_the_asking() -> None:
    reach = all_answer(None)
    reach.released.clear()
    canaries = Canaries(URLS, reach=reach)
    asking = asyncio.create_task(canaries.is_network_well())
    await reach.all_asked.wait()
    before = asyncio.all_tasks()
    await canaries.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert reach.cancelled == 3
    assert asyncio.all_tasks() < before
