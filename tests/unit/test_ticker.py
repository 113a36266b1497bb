"""Probes start in their slots, look again soon when in doubt, and survive an absent store."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.readings import Document
from monitor.rules.observation import Observation
from monitor.rules.verdict import Verdict
from tests.builders import a_refusal, a_site, an_observation
from tests.ticking import Rig
from tickets.errors import Unavailable


def down() -> Observation:
    return a_refusal()


async def test_each_site_is_probed_once_an_interval() -> None:
    rig = Rig(a_site("one", interval=60), a_site("two", interval=20))
    await rig.run(600)
    probed = [slug for _, slug in rig.prober.probed]
    assert (probed.count("one"), probed.count("two")) == (10, 30)


async def test_an_outage_is_confirmed_within_the_interval_and_two_quick_looks() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(120)
    broken_at = rig.clock.now()
    rig.prober.answers["one"] = down
    await rig.run(60 + 2 * 10)
    assert rig.afters() == [Verdict.UP, Verdict.DOWN]
    confirmed = rig.recorded[-1].transition
    assert broken_at < confirmed.since < confirmed.confirmed_at
    assert confirmed.confirmed_at - confirmed.since == timedelta(seconds=20)


async def test_recovery_is_looked_at_again_soon_too() -> None:
    rig = Rig(a_site("one", interval=60))
    rig.prober.answers["one"] = down
    await rig.run(90)
    rig.prober.answers["one"] = an_observation
    await rig.run(70)
    assert rig.afters() == [Verdict.DOWN, Verdict.UP]


async def test_a_single_failure_opens_nothing_and_is_forgotten() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(60)
    answers = iter([down(), an_observation(), down(), down(), an_observation()])
    rig.prober.answers["one"] = lambda: next(answers, an_observation())
    await rig.run(600)
    assert rig.afters() == [Verdict.UP]


async def test_our_own_dead_network_is_counted_and_opens_nothing() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(60)
    rig.prober.answers["one"] = down
    rig.excuser.is_well = False
    await rig.run(300)
    assert rig.afters() == [Verdict.UP]
    change = (await rig.counts())["one"]
    assert (change["up"], change["down"], change["unknown"]) == (1, 0, 5)


async def test_the_evidence_is_the_first_failure() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(60)
    failures = iter(f"failure {number}" for number in range(1, 99))
    rig.prober.answers["one"] = lambda: replace(down(), message=next(failures))
    await rig.run(80)
    assert rig.recorded[-1].observation.message == "failure 1"


async def test_a_transition_that_cannot_be_stored_is_confirmed_again_with_its_true_start() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(60)
    rig.prober.answers["one"] = down
    rig.store_is_away = True
    await rig.run(600)
    assert rig.afters() == [Verdict.UP]
    began = next(at for at, _ in rig.prober.probed if at > 1060)
    rig.store_is_away = False
    await rig.run(60)
    assert rig.afters() == [Verdict.UP, Verdict.DOWN]
    since = rig.recorded[-1].transition.since
    assert since == rig.clock.now() - timedelta(seconds=rig.clock.monotonic() - began)


async def test_doubt_that_lasts_asks_for_one_quick_look_at_a_time() -> None:
    rig = Rig(a_site("one", interval=47))
    await rig.run(60)
    rig.prober.answers["one"] = down
    rig.store_is_away = True
    await rig.run(1800)
    minute = rig.clock.monotonic() - 60
    assert len([at for at, _ in rig.prober.probed if at > minute]) <= 60 / 10 + 2


async def test_a_step_of_the_wall_clock_changes_no_cadence() -> None:
    rig = Rig(a_site("one", interval=60))
    await rig.run(120)
    for step in (timedelta(hours=-1), timedelta(hours=2), timedelta(days=3650)):
        rig.clock.step(step)
        await rig.run(120)
    seconds = [at for at, _ in rig.prober.probed]
    gaps = {later - sooner for sooner, later in itertools.pairwise(seconds)}
    assert gaps == {60.0}


async def test_a_probe_still_running_at_its_next_slot_makes_that_slot_missed() -> None:
    rig = Rig(a_site("one", interval=10))
    rig.prober.gate = asyncio.Event()
    for _ in range(30):
        rig.clock.advance(1)
        await rig.ticker.tick()
        await asyncio.sleep(0)
    assert len(rig.prober.probed) == 1
    rig.prober.gate.set()
    await rig.ticker.settle()
    change = (await rig.counts())["one"]
    assert (change["up"], change["missed"]) == (1, 2)


async def test_no_more_probes_run_at_once_than_allowed() -> None:
    rig = Rig(*(a_site(f"site-{number}", interval=10) for number in range(40)), concurrency=7)
    rig.prober.gate = asyncio.Event()
    for _ in range(10):
        rig.clock.advance(1)
        await rig.ticker.tick()
        await asyncio.sleep(0)
    assert len(rig.prober.probed) == rig.ticker.figures.in_flight == 7
    assert rig.ticker.figures.due == 33
    rig.prober.gate.set()
    await rig.ticker.settle()
    assert len(rig.prober.probed) == 40


async def test_a_fault_of_ours_in_one_probe_is_counted_and_stops_no_other() -> None:
    rig = Rig(a_site("one", interval=10), a_site("two", interval=10))

    def broken() -> Observation:
        raise RuntimeError("a fault of ours")

    rig.prober.answers["one"] = broken
    await rig.run(30)
    assert rig.ticker.figures.error == 3
    assert rig.ticker.figures.ok == 3


async def test_counts_survive_a_store_that_is_away() -> None:
    rig = Rig(a_site("one", interval=10))
    await rig.run(20)

    async def refuse(_changes: list[Document]) -> None:
        raise Unavailable("the store does not answer")

    with pytest.raises(Unavailable):
        await rig.readings.flush(refuse)
    await rig.run(20)
    assert (await rig.counts())["one"]["up"] == 4
    assert await rig.counts() == {}


async def test_draining_cancels_what_is_in_flight_and_blames_nobody() -> None:
    rig = Rig(a_site("one", interval=1))
    rig.prober.gate = asyncio.Event()
    rig.clock.advance(1)
    await rig.ticker.tick()
    await asyncio.sleep(0)
    await rig.ticker.drain()
    assert rig.recorded == []
    assert await rig.counts() == {}
