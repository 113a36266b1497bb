"""Within a maintenance window probes go on and recoveries count, but nothing bad is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.readings.buckets import COLUMNS
from monitor.rules.maintenance import DatedWindow
from monitor.rules.observation import Observation
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict
from tests.builders import a_site, an_observation
from tests.clocks import FakeClock
from tests.unit.test_ticker import Rig, down

UP, SLOW, DOWN = Verdict.UP, Verdict.SLOW, Verdict.DOWN


def slow() -> Observation:
    return an_observation(duration=4.2)


def maintained(*, after: float, until: float) -> Site:
    """A site in maintenance between two times, in seconds from the start of a rig's clock."""
    start = FakeClock().now()
    window = DatedWindow(
        start=start + timedelta(seconds=after), end=start + timedelta(seconds=until)
    )
    return replace(a_site("one", interval=60), maintenance=(window,))


async def test_a_site_that_fails_in_a_window_opens_nothing_until_it_ends() -> None:
    rig = Rig(maintained(after=120, until=600))
    await rig.run(130)
    broken_at = rig.clock.now()
    rig.prober.answers["one"] = down
    await rig.run(470)
    assert rig.afters() == [UP]
    await rig.run(60)
    assert rig.afters() == [UP, DOWN]
    since = rig.recorded[-1].transition.since
    assert broken_at <= since < broken_at + timedelta(seconds=60)


async def test_probes_go_on_at_their_interval_and_no_faster() -> None:
    rig = Rig(maintained(after=0, until=600))
    rig.prober.answers["one"] = down
    await rig.run(600)
    assert len(rig.prober.probed) == 10


async def test_a_failure_that_begins_before_the_window_is_held_as_well() -> None:
    rig = Rig(maintained(after=200, until=600))
    await rig.run(120)
    while len(rig.prober.probed) < 3:
        await rig.run(1)
    rig.prober.answers["one"] = down
    await rig.run(600 - 181)
    assert rig.afters() == [UP]


async def test_a_recovery_within_a_window_is_never_lost() -> None:
    rig = Rig(maintained(after=300, until=900))
    await rig.run(70)
    rig.prober.answers["one"] = down
    await rig.run(200)
    assert rig.afters() == [UP, DOWN]
    await rig.run(60)
    rig.prober.answers["one"] = an_observation
    await rig.run(120)
    assert rig.afters() == [UP, DOWN, UP]
    rig.prober.answers["one"] = down
    await rig.run(300)
    assert rig.afters() == [UP, DOWN, UP]
    rig.prober.answers["one"] = an_observation
    await rig.run(300)
    assert rig.afters() == [UP, DOWN, UP]


async def test_a_slow_site_does_not_worsen_within_a_window() -> None:
    rig = Rig(maintained(after=600, until=1200))
    await rig.run(60)
    rig.prober.answers["one"] = slow
    await rig.run(400)
    assert rig.afters() == [UP, SLOW]
    await rig.run(150)
    rig.prober.answers["one"] = down
    await rig.run(580)
    assert rig.afters() == [UP, SLOW]
    await rig.run(100)
    assert rig.afters() == [UP, SLOW, DOWN]


async def test_observations_within_a_window_count_apart() -> None:
    rig = Rig(maintained(after=120, until=600))
    rig.readings.buckets.watch(maintained(after=120, until=600), seen_at=None, now=rig.clock.now())
    await rig.run(130)
    rig.prober.answers["one"] = down
    await rig.run(470)
    counts = (await rig.counts())["one"]
    assert counts["down"] == 7
    buckets = [
        dict(zip(COLUMNS, bucket.values, strict=True)) for bucket in rig.readings.buckets.take()
    ]
    assert sum(bucket["down_seconds"] for bucket in buckets) == 0
    assert sum(bucket["maintenance_count"] for bucket in buckets) == 8
