"""Where the time of a probe went, and when an answer is slow.

Each test takes its time in one phase alone, and asks only what holds on a machine of any speed:
that this time is found in this phase, and not in another.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.imposed import full_queue, seconds_in, slow_in
from tests.loopback import OK, Authorities, answer
from tests.probing import UP, observe, observe_script, sum_of

IMPOSED = 0.15


async def test_a_slow_answer(prober: Prober) -> None:
    seen = await observe_script(prober, loopback.late(0.2, answer()))
    assert seen.cause is None
    assert seen.duration_seconds >= 0.2
    judgement = judge(seen, slow_after=timedelta(seconds=0.1))
    assert (judgement.verdict, judgement.cause) == (Verdict.SLOW, Cause.SLOW)
    assert judge(seen, slow_after=timedelta(seconds=60)).verdict is Verdict.UP


@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize("phase", [Phase.RESOLVE, Phase.TLS, Phase.PROCESSING, Phase.TRANSFER])
async def test_time_is_found_in_the_phase_that_took_it(
    authorities: Authorities, phase: Phase, hops: int
) -> None:
    """On each hop; but the body of a redirect is nothing to wait for."""
    imposed = IMPOSED * (1 if phase is Phase.TRANSFER else hops)
    async with slow_in(phase, IMPOSED, authorities=authorities, hops=hops) as course:
        seen = await course.probe()
    UP.check(seen)
    assert len(seen.hops) == hops
    assert seconds_in(seen.phases, phase) >= imposed - 0.002
    others = sum_of(seen.phases) - seconds_in(seen.phases, phase)
    assert others <= seen.duration_seconds - imposed + 0.002


async def test_time_to_connect_is_found_in_connect(prober: Prober) -> None:
    """The first attempt falls on a full queue; the kernel makes the second a second later."""
    async with full_queue(opens_after=0.2) as port:
        seen = await observe(prober, f"http://127.0.0.1:{port}/")
    UP.check(seen)
    assert seen.phases.connect >= 0.9
    assert sum_of(seen.phases) - seen.phases.connect <= seen.duration_seconds - 0.9


async def test_waiting_after_early_hints_is_processing(prober: Prober) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await visit.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(IMPOSED)
        await visit.send(OK, b"Content-Length: 2\r\n\r\nok")

    seen = await observe_script(prober, script)
    assert seen.phases.processing >= IMPOSED - 0.002
    assert seen.phases.transfer <= seen.duration_seconds - IMPOSED + 0.002


async def test_time_is_told_also_of_a_probe_that_fails(
    prober: Prober, authorities: Authorities
) -> None:
    """The phase in which it failed holds the time until it did."""
    async with slow_in(Phase.PROCESSING, IMPOSED, authorities=authorities) as course:
        seen = await observe(course.prober, course.url, keyword="missing")
    assert seen.cause is Cause.KEYWORD_MISSING
    assert seen.phases.processing >= IMPOSED - 0.002
    stuck = await observe_script(
        prober, loopback.stop_after(OK, b"X: "), timeout=timedelta(seconds=IMPOSED)
    )
    assert stuck.cause is Cause.RESPONSE_TIMEOUT
    assert stuck.phases.processing >= sum_of(stuck.phases) / 2
