"""What our own faults must not do: stalls, sleeps, clock steps and crowds open no incident."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from monitor.rules.observation import Cause
from monitor.rules.verdict import Verdict
from tests.builders import a_refusal, a_site, an_observation
from tests.ticking import Rig


def _stand_still(rig: Rig) -> None:
    rig.clock.advance(30)


def _sleep_with_the_host(rig: Rig) -> None:
    """Let only the wall clock go on, as on a host that was suspended."""
    rig.clock.step(timedelta(hours=8))


def _step_back(rig: Rig) -> None:
    rig.clock.step(timedelta(hours=-1))


GAPS = [_stand_still, _sleep_with_the_host, _step_back]


@pytest.mark.parametrize("make_gap", GAPS)
async def test_after_a_gap_the_first_bad_look_at_each_site_does_not_count(
    make_gap: Callable[[Rig], None],
) -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=20) for number in range(20)))
    await rig.run(40)
    make_gap(rig)
    for slug in rig.watched:
        failures = iter([a_refusal(), an_observation(duration=5)])
        rig.prober.answers[slug] = lambda failures=failures: next(failures, an_observation())
    await rig.run(21)
    assert set(rig.afters()) == {Verdict.UP}
    unknown = [change for change in (await rig.counts()).values() if change["unknown"] == 1]
    assert len(unknown) == 20
    assert {change["cause"] for change in unknown} <= {Cause.OWN_STALL, Cause.SLOW, None}


async def test_what_was_under_way_in_a_gap_and_what_came_next_does_not_count() -> None:
    rig = Rig(a_site("one", interval=10, timeout=5))
    await rig.run(15)
    await rig.counts()
    rig.prober.answers["one"] = a_refusal
    rig.prober.gate = asyncio.Event()
    for _ in range(10):
        rig.clock.advance(1)
        await rig.ticker.tick()
        await asyncio.sleep(0)
    assert rig.ticker.figures.in_flight == 1
    rig.clock.advance(30)
    rig.prober.gate.set()
    await rig.ticker.tick()
    await rig.ticker.settle()
    await rig.run(10)
    change = (await rig.counts())["one"]
    assert (change["down"], change["unknown"]) == (0, 2)
    await rig.run(40)
    assert rig.afters()[-1] is Verdict.DOWN


async def test_a_real_outage_after_a_gap_is_confirmed_one_look_later() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(60)
    rig.clock.advance(300)
    rig.prober.answers["one"] = a_refusal
    await rig.run(60 + 60 + 20)
    assert rig.afters() == [Verdict.UP, Verdict.DOWN]


async def test_slots_lost_in_a_gap_are_missed_by_site_and_not_probed_in_a_bunch() -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=60) for number in range(600)))
    await rig.run(60)
    await rig.counts()
    probed = len(rig.prober.probed)
    rig.clock.advance(60)
    await rig.ticker.tick()
    await rig.ticker.settle()
    assert len(rig.prober.probed) - probed < 6 * 600 / 60
    await rig.run(60)
    counts = await rig.counts()
    assert {change["up"] + change["missed"] for change in counts.values()} == {2}
    assert rig.ticker.figures.missed == sum(change["missed"] for change in counts.values()) > 500


async def test_unknown_neither_feeds_nor_breaks_a_streak() -> None:
    rig = Rig(a_site("one", interval=10))
    await rig.run(20)
    rig.prober.answers["one"] = a_refusal
    rig.excuser.looks = iter([True, True, False, False, False, False])
    await rig.run(50)
    assert rig.afters() == [Verdict.UP]
    await rig.run(30)
    assert rig.afters() == [Verdict.UP, Verdict.DOWN]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_step_moves_no_cadence_and_no_duration_is_negative(hours: int) -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=60) for number in range(60)))
    await rig.run(90)
    rig.prober.answers["site-7"] = a_refusal
    await rig.run(75)
    rig.clock.step(timedelta(hours=hours))
    await rig.run(300)
    rig.prober.answers["site-7"] = an_observation
    await rig.run(120)
    afters = [one.transition.after for one in rig.recorded if one.site.slug == "site-7"]
    assert afters == [Verdict.UP, Verdict.DOWN, Verdict.UP]
    assert all(one.transition.confirmed_at >= one.transition.since for one in rig.recorded)
    for slug in rig.watched:
        if slug != "site-7":
            seconds = [at for at, probed in rig.prober.probed if probed == slug]
            gaps = {later - sooner for sooner, later in itertools.pairwise(seconds)}
            assert gaps == {60}


async def test_ten_thousand_sites_start_without_a_burst() -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=60) for number in range(10_000)))
    await rig.run(120)
    launches = Counter(int(at) for at, _ in rig.prober.probed)
    assert min(launches.values()) > 0
    assert max(launches.values()) < 1.5 * 10_000 / 60
    assert len(rig.prober.probed) == 20_000


async def test_within_its_second_a_slot_is_spread() -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=1) for number in range(400)), is_spread=True)
    rig.clock.advance(1)
    await rig.ticker.tick()
    await rig.ticker.settle()
    launched = Counter(round(at, 2) for at, _ in rig.prober.probed)
    assert len(launched) == 20
    assert max(launched.values()) < 3 * 400 / 20
    assert sum(rig.waits) == pytest.approx(0.95)
    assert sum(rig.ticker.figures.lateness[:2]) == 400


async def test_hanging_sites_take_no_place_from_healthy_ones() -> None:
    """Eighty tarpits that would fill every place for ever leave twenty healthy sites on time."""
    tarpits = [a_site(f"tarpit-{number}", interval=20) for number in range(80)]
    healthy = [a_site(f"healthy-{number}", interval=20) for number in range(20)]
    rig = Rig(*tarpits, *healthy, concurrency=20)
    rig.prober.hanging = {site.slug: 10.0 for site in tarpits}
    await rig.run_unsettled(300)
    for site in healthy:
        seconds = [at for at, slug in rig.prober.probed if slug == site.slug and at > 1120]
        assert {later - sooner for sooner, later in itertools.pairwise(seconds)} == {20}
    counts = await rig.counts()
    assert all(counts[site.slug]["up"] >= 10 for site in healthy)
    assert any(counts[site.slug]["missed"] > 0 for site in tarpits)
