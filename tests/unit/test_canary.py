"""The canaries: asked only in doubt, once for all, and believed for a while."""

from __future__ import annotations

import asyncio
from dataclasses import replace
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


def a_good_answer(number: int, *, address: str | None = None) -> Observation:
    return Observation(
        url=f"https://site-{number}.example/",
        started_at=datetime(2026, 3, 9, 9, 0, tzinfo=UTC),
        duration_seconds=0.2,
        http_status=200,
        remote_address=address or f"93.184.{number}.14",
    )


class SitesAnswer(FakeReach):
    """Canaries are silent; sites answer while ``is_open``."""

    def __init__(self, *, is_open: bool) -> None:
        super().__init__({})
        self.is_open = is_open

    async def __call__(
        self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
    ) -> Cause | None:
        self.asked.append(url)
        return None if self.is_open and "site" in url else Cause.CONNECT_TIMEOUT


async def test_canaries_that_are_blocked_do_not_blind_us_while_another_site_answers() -> None:
    reach = SitesAnswer(is_open=True)
    canaries = Canaries(URLS, reach=reach)
    canaries.note(a_good_answer(1))
    seen = await canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT))
    assert seen.cause is Cause.CONNECT_TIMEOUT
    assert reach.asked[-1] == "https://site-1.example/"


async def test_the_site_that_failed_and_sites_in_our_own_house_are_no_witnesses() -> None:
    reach = SitesAnswer(is_open=True)
    canaries = Canaries(URLS, reach=reach)
    failed = replace(an_observation(Cause.CONNECT_TIMEOUT), url=a_good_answer(1).url)
    canaries.note(a_good_answer(1))
    canaries.note(a_good_answer(2, address="192.168.3.4"))
    assert (await canaries.excuse(failed)).cause is Cause.OWN_NETWORK
    assert sorted(reach.asked) == sorted(URLS)


async def test_an_answer_that_comes_while_canaries_are_silent_clears_our_network() -> None:
    reach = all_answer(Cause.CONNECT_TIMEOUT)
    reach.released.clear()
    canaries = Canaries(URLS, reach=reach)
    asking = asyncio.create_task(canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT)))
    await reach.all_asked.wait()
    canaries.note(a_good_answer(1))
    reach.released.set()
    assert (await asking).cause is Cause.CONNECT_TIMEOUT


async def test_a_dead_network_is_dead_whatever_answered_before() -> None:
    canaries = Canaries(URLS, reach=SitesAnswer(is_open=False))
    for number in range(20):
        canaries.note(a_good_answer(number))
    assert (await canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT))).cause is Cause.OWN_NETWORK


@pytest.mark.parametrize(
    ("networks", "is_open", "cause"),
    [
        (4, False, Cause.OWN_NETWORK),
        (4, True, Cause.CONNECT_TIMEOUT),
        (2, False, Cause.CONNECT_TIMEOUT),
    ],
)
async def test_without_canaries_three_other_networks_tell(
    networks: int, is_open: bool, cause: Cause
) -> None:
    canaries = Canaries((), reach=SitesAnswer(is_open=is_open))
    for number in range(networks):
        canaries.note(a_good_answer(number))
    assert (await canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT))).cause is cause


async def test_a_host_that_carries_all_sites_is_no_dead_network() -> None:
    canaries = Canaries((), reach=SitesAnswer(is_open=False))
    for number in range(200):
        canaries.note(a_good_answer(number, address="93.184.215.14"))
    seen = await canaries.excuse(an_observation(Cause.CONNECT_REFUSED))
    assert seen.cause is Cause.CONNECT_REFUSED


async def test_a_numeric_canary_says_nothing_of_the_name_servers() -> None:
    urls = ("https://93.184.215.1/", URLS[0])
    reach = FakeReach({urls[0]: None, urls[1]: Cause.DNS_FAILURE})
    canaries = Canaries(urls, reach=reach)
    seen = await canaries.excuse(an_observation(Cause.DNS_FAILURE))
    assert seen.cause is Cause.OWN_RESOLVER
    seen = await canaries.excuse(an_observation(Cause.CONNECT_REFUSED))
    assert seen.cause is Cause.CONNECT_REFUSED


async def test_sites_whose_names_are_still_known_do_not_vouch_for_the_name_servers() -> None:
    class OnlySites(SitesAnswer):
        async def __call__(
            self, url: str, /, *, within: timedelta, allow_networks: tuple[Network, ...] = ()
        ) -> Cause | None:
            return None if "site" in url else Cause.DNS_TIMEOUT

    canaries = Canaries(URLS, reach=OnlySites(is_open=True))
    canaries.note(a_good_answer(1))
    seen = await canaries.excuse(an_observation(Cause.DNS_TIMEOUT))
    assert seen.cause is Cause.OWN_RESOLVER
    seen = await canaries.excuse(an_observation(Cause.CONNECT_REFUSED))
    assert seen.cause is Cause.CONNECT_REFUSED


async def test_canaries_that_cannot_be_asked_for_want_of_descriptors_say_so() -> None:
    canaries = Canaries(URLS, reach=all_answer(Cause.OWN_RESOURCES))
    seen = await canaries.excuse(an_observation(Cause.CONNECT_TIMEOUT))
    assert seen.cause is Cause.OWN_RESOURCES


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
