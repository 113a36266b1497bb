"""Ten thousand HTTPS sites a minute in one prober: share of a core, memory, stalls of its loop.

    python -m tests.bench.bench_scale [--sites N] [--minutes N]

The prober role runs as it always does, on a store of its own, over the sites of a local nginx. The
first minute, in which every site is seen for the first time, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import contenders
from tests.bench.contenders import Course
from tests.bench.processes import Measured, wait_for
from tests.bench.websites import serving_sites

INTERVAL = 60
ADDRESSES = 500
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Span:
    """What was taken over some time; ``waited`` is how long the prober waited for a processor."""

    seconds: float
    probes: int
    cpu_seconds: float
    waited_seconds: float
    memory: tuple[int, int]
    stalls: Mapping[str, Any]


def measure(prober: Measured, course: Course, *, seconds: float, stalls: Path) -> Span:
    """Watch the running prober for a while."""
    _tell_stalls(prober, stalls)
    began, cpu, waited = time.monotonic(), prober.cpu_seconds(), _waited_seconds(prober)
    answered = course.websites.answered()
    time.sleep(seconds)
    return Span(
        seconds=time.monotonic() - began,
        probes=course.websites.answered() - answered,
        cpu_seconds=prober.cpu_seconds() - cpu,
        waited_seconds=_waited_seconds(prober) - waited,
        memory=prober.memory(),
        stalls=_tell_stalls(prober, stalls),
    )


def _tell_stalls(prober: Measured, stalls: Path) -> Mapping[str, Any]:
    stalls.unlink(missing_ok=True)
    os.kill(prober.process.pid, signal.SIGUSR1)
    wait_for(stalls.exists, what="the prober tells its stalls")
    return json.loads(stalls.read_text(encoding="ascii"))


def _waited_seconds(prober: Measured) -> float:
    """Return how long its main thread has been ready to run while others ran."""
    schedule = Path(f"/proc/{prober.process.pid}/schedstat").read_text(encoding="ascii")
    return int(schedule.split()[1]) / 1e9


def table(span: Span) -> str:
    """Return the figures as text."""
    stalls, (memory, highest) = span.stalls, span.memory
    above = ", ".join(
        f"{count} over {float(at) * 1e3:g} ms" for at, count in stalls["above"].items()
    )
    share = span.cpu_seconds / span.seconds
    rows = (
        ("probes a second", f"{span.probes / span.seconds:.1f}", ""),
        ("share of a core", f"{share:.3f}", "goal < 0.3"),
        ("CPU ms per probe", f"{span.cpu_seconds / max(span.probes, 1) * 1000:.2f}", ""),
        ("memory now", f"{memory / _MB:.0f} MB", "goal < 150 MB"),
        ("memory at its highest", f"{highest / _MB:.0f} MB", ""),
        ("longest turn of the loop", f"{stalls['longest'] * 1000:.0f} ms", "goal < 50 ms"),
        ("the same on the processor", f"{stalls['longest_on_processor'] * 1000:.0f} ms", ""),
        ("turns", f"{stalls['turns']}: {above}", ""),
        ("waited for a processor", f"{span.waited_seconds / span.seconds:.1%} of the time", ""),
    )
    return "\n".join(f"{name:28}{value:>12}   {goal}".rstrip() for name, value, goal in rows)


def run(*, sites: int = 10_000, minutes: float = 0.75) -> str:
    """Start everything, let the first minute pass, measure; return the table."""
    with (
        serving_sites(sites, addresses=ADDRESSES) as websites,
        tempfile.TemporaryDirectory(prefix="fettle-bench-") as name,
    ):
        course, stalls = Course(websites, INTERVAL), Path(name) / "stalls"
        with contenders.prober(course, Path(name), stalls=stalls) as processes:
            prober = processes["prober"]
            began = time.monotonic()
            wait_for(lambda: websites.answered() > 0, what="the first probe")
            started = time.monotonic() - began
            time.sleep(INTERVAL + 5)
            span = measure(prober, course, seconds=minutes * 60, stalls=stalls)
    head = f"{sites} HTTPS sites every {INTERVAL} s, first probe {started:.1f} s after the start"
    return f"{head}; {span.seconds:.0f} s measured\n{table(span)}"


def test_ten_thousand_sites() -> None:
    """What ``make bench`` runs; it asserts nothing of time."""
    sys.stdout.write(f"\n{run()}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=0.75)
    arguments = parser.parse_args()
    sys.stdout.write(run(sites=arguments.sites, minutes=arguments.minutes) + "\n")


if __name__ == "__main__":
    main()
