"""Our own sign of life: after good passes only, one call at a time, and no harm when it fails."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from monitor.own_heartbeat import OwnHeartbeat
from monitor.rules.observation import Observation
from monitor.rules.site import Site
from tests.builders import a_refusal, an_observation
from tests.clocks import FakeClock

URL = "https://beats.test/SECRET"


class FakeProber:
    """Answers every call with ``answer``, once ``goes_on`` is set."""

    def __init__(self, answer: Observation | None = None) -> None:
        self.answer = answer or an_observation()
        self.asked: list[str] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def probe(self, site: Site, *, started_at: datetime) -> Observation:
        self.asked.append(site.url)
        await self.goes_on.wait()
        return self.answer


def a_heartbeat(prober: FakeProber, clock: FakeClock, url: str | None = URL) -> OwnHeartbeat:
    return OwnHeartbeat(url, every=timedelta(minutes=1), prober=prober, clock=clock)


async def turns() -> None:
    """Let what was begun go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_calls_once_a_period_after_good_passes_only(clock: FakeClock) -> None:
    prober = FakeProber()
    heartbeat = a_heartbeat(prober, clock)
    for second in range(180):
        heartbeat.note_pass(is_good=not 100 <= second < 150)
        await turns()
        clock.advance(1)
    # At 0, 60 and, as the pass at 120 was no good one, at 150.
    assert prober.asked == [URL] * 3
    assert heartbeat.outcomes == {"ok": 3, "error": 0}


async def test_a_call_that_hangs_is_the_only_one_and_ends_with_the_service(
    clock: FakeClock,
) -> None:
    prober = FakeProber()
    prober.goes_on.clear()
    heartbeat = a_heartbeat(prober, clock)
    for _ in range(5):
        heartbeat.note_pass(is_good=True)
        await turns()
        clock.advance(120)
    assert len(prober.asked) == 1
    await heartbeat.aclose()
    assert heartbeat.outcomes == {"ok": 0, "error": 0}


async def test_a_call_that_fails_is_counted_and_the_next_one_comes(clock: FakeClock) -> None:
    prober = FakeProber(a_refusal())
    heartbeat = a_heartbeat(prober, clock)
    for _ in range(2):
        heartbeat.note_pass(is_good=True)
        await turns()
        clock.advance(60)
    assert heartbeat.outcomes == {"ok": 0, "error": 2}
    assert len(prober.asked) == 2


async def test_without_an_address_nothing_happens(clock: FakeClock) -> None:
    prober = FakeProber()
    heartbeat = a_heartbeat(prober, clock, None)
    heartbeat.note_pass(is_good=True)
    await turns()
    assert (prober.asked, heartbeat.outcomes) == ([], {})
    await heartbeat.aclose()
