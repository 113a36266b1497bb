"""How near the time told for each phase comes to what a scripted server took in it.

    python -m tests.bench.bench_phases [--probes N] [--milliseconds N]

One phase at a time is made to last; the others are left alone. What was told should be what the
server really slept and what the phase takes alone, without sleep (a handshake is some work): the
median of the difference is printed, and marked if it is beyond 5 ms. The connection is the kernel's
affair: there a socket of Python's connects to the same full queue at the same moment, and what that
took counts as imposed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monitor.prober import Prober
from monitor.rules.observation import Phase
from tests.imposed import bare_connect, full_queue, seconds_in, slow_in
from tests.loopback import Authorities
from tests.probing import observe, sum_of

WITHIN_MS = 5.0


@dataclass(frozen=True)
class Row:
    """Seconds of each probe: imposed, told of the phase, and told of the others together.

    ``alone`` is what the phase takes when nothing is imposed; 0 where that counts as imposed.
    """

    name: str
    alone: float = 0.0
    imposed: list[float] = field(default_factory=list[float])
    told: list[float] = field(default_factory=list[float])
    others: list[float] = field(default_factory=list[float])

    def __str__(self) -> str:
        imposed, told, others = (
            statistics.median(each) * 1000 for each in (self.imposed, self.told, self.others)
        )
        off = 1000 * statistics.median(
            told - self.alone - imposed
            for told, imposed in zip(self.told, self.imposed, strict=True)
        )
        mark = "" if abs(off) <= WITHIN_MS else "  beyond 5 ms"
        return (
            f"{self.name:26}{imposed:10.1f}{self.alone * 1000:10.1f}{told:10.1f}{off:+10.2f}"
            f"{others:10.1f}{mark}"
        )


async def measure_phase(
    phase: Phase, *, seconds: float, hops: int, probes: int, authorities: Authorities
) -> Row:
    """Probe a site that is slow in one phase, time after time."""
    async with slow_in(phase, 0, authorities=authorities, hops=hops) as course:
        quick = [await course.probe() for _ in range(probes)]
    row = Row(
        phase.value if hops == 1 else f"{phase.value}, over {hops} hops",
        alone=statistics.median(seconds_in(each.phases, phase) for each in quick),
    )
    async with slow_in(phase, seconds, authorities=authorities, hops=hops) as course:
        for _ in range(probes):
            course.slept.clear()
            seen = await course.probe()
            assert seen.cause is None, seen.message
            row.imposed.append(sum(course.slept))
            row.told.append(seconds_in(seen.phases, phase))
            row.others.append(sum_of(seen.phases) - row.told[-1])
    return row


@asynccontextmanager
async def a_prober() -> AsyncIterator[Prober]:
    prober = Prober()
    yield prober
    await prober.aclose()


async def measure_connect(*, probes: int) -> Row:
    """Probe while the queue is full, beside a socket that does nothing but connect."""
    row = Row("connect")
    async with a_prober() as prober:
        for _ in range(probes):
            async with full_queue(opens_after=0.2) as port:
                bare = asyncio.create_task(asyncio.to_thread(bare_connect(port)))
                seen = await observe(prober, f"http://127.0.0.1:{port}/")
                row.imposed.append(await bare)
            assert seen.cause is None, seen.message
            row.told.append(seen.phases.connect)
            row.others.append(sum_of(seen.phases) - seen.phases.connect)
    return row


async def measure_all(*, probes: int, seconds: float) -> str:
    """Return the table."""
    with tempfile.TemporaryDirectory() as folder:
        authorities = Authorities(Path(folder))
        rows = [
            await measure_phase(
                phase, seconds=seconds, hops=hops, probes=probes, authorities=authorities
            )
            for hops in (1, 3)
            for phase in (Phase.RESOLVE, Phase.TLS, Phase.PROCESSING, Phase.TRANSFER)
        ]
        rows.append(await measure_connect(probes=max(3, probes // 4)))
    columns = ("imposed", "alone", "told", "off by", "others")
    head = f"{'':26}" + "".join(f"{each:>10}" for each in columns) + "   ms, medians"
    return "\n".join([head, *map(str, rows)])


def test_time_of_each_phase() -> None:
    """What ``make bench`` runs; it asserts nothing of time."""
    sys.stdout.write(f"\n{asyncio.run(measure_all(probes=20, seconds=0.1))}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--probes", type=int, default=20, help="probes for each row")
    parser.add_argument("--milliseconds", type=float, default=100, help="what is imposed on a hop")
    arguments = parser.parse_args()
    seconds = arguments.milliseconds / 1000
    sys.stdout.write(asyncio.run(measure_all(probes=arguments.probes, seconds=seconds)) + "\n")


if __name__ == "__main__":
    main()
