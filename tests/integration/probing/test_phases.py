"""Where the time of a probe went, and when an answer is slow."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from monitor.prober import Prober
from monitor.rules.observation import Cause
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.loopback import OK, Authorities, answer, serving
from tests.probing import (
    observe,
    observe_script,
)


async def test_a_slow_answer(prober: Prober) -> None:
    seen = await observe_script(prober, loopback.late(0.2, answer()))
    assert seen.cause is None
    assert seen.duration_seconds >= 0.2
    judgement = judge(seen, slow_after=timedelta(seconds=0.1))
    assert (judgement.verdict, judgement.cause) == (Verdict.SLOW, Cause.SLOW)
    assert judge(seen, slow_after=timedelta(seconds=60)).verdict is Verdict.UP


async def test_each_phase_gets_the_time_that_was_spent_in_it(
    prober: Prober, authorities: Authorities
) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await asyncio.sleep(0.1)
        await visit.send(OK, b"Content-Length: 4\r\n\r\nab")
        await asyncio.sleep(0.1)
        await visit.send(b"cd")

    async with serving(script, tls=authorities.tls()) as server:
        seen = await observe(prober, server.url())
    phases = seen.phases
    assert phases.processing >= 0.095
    assert phases.transfer >= 0.095
    assert 0 < phases.connect < 0.095
    assert 0 < phases.tls < 0.095
    total = phases.resolve + phases.connect + phases.tls + phases.processing + phases.transfer
    assert total <= seen.duration_seconds


async def test_waiting_after_early_hints_is_processing(prober: Prober) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await visit.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.1)
        await visit.send(OK, b"Content-Length: 2\r\n\r\nok")

    seen = await observe_script(prober, script)
    assert seen.phases.processing >= 0.095
    assert seen.phases.transfer < 0.095
