"""Processor time of one HTTPS probe: the whole prober beside plain httpx, blackbox_exporter and C.

    python -m tests.bench.bench_probe [--quick]

All probe the same sites of a local nginx, each probe on a fresh connection, without a TLS session
to resume, with the certificate verified. They run in turn, in rounds, at the same pace; when each
has settled its processor time is taken for a while and divided by the requests that nginx counted.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pycurl

from tests.bench import contenders
from tests.bench.contenders import Contender, Course
from tests.bench.processes import Failed, wait_for
from tests.bench.websites import find_nginx, serving_sites

PROBER = "prober, whole service"
HTTPX = "plain httpx, shared client"
BLACKBOX = "blackbox_exporter + Prometheus"
C_SAME = "bare C, OpenSSL as the prober's"
C_SYSTEM = "bare C, OpenSSL of the system"

GOALS = ((PROBER, BLACKBOX, "< 0.45"), (PROBER, C_SAME, "<= 1.3"), (PROBER, C_SYSTEM, "<= 1.3"))


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the race takes; times in seconds."""

    sites: int = 1000
    interval: int = 10
    rounds: int = 3
    settle: float = 11
    measure: float = 8


QUICK = Plan(rounds=1)

SETTLES_AT_ONCE = 2.0
"""Seconds to wait for those who do the same from their first probe on: plain httpx and C."""


@dataclass(slots=True)
class Lane:
    """A contender with what each of its rounds took, in ms of processor time a probe.

    A round in which it could not keep the pace, as on a busy machine, is not among ``parts``.
    """

    name: str
    contender: Contender
    is_plain: bool = False
    parts: dict[int, dict[str, float]] = field(default_factory=dict[int, dict[str, float]])
    memory: int = 0

    @property
    def rounds(self) -> dict[int, float]:
        """The sum of all its processes, by round."""
        return {number: sum(parts.values()) for number, parts in self.parts.items()}


def line_up() -> tuple[list[Lane], list[str]]:
    """Return who can run here, and a line for each who cannot."""
    lanes = [Lane(PROBER, contenders.prober), Lane(HTTPX, contenders.plain_httpx, is_plain=True)]
    absent: list[str] = []
    if contenders.is_installed("prometheus", "prometheus-blackbox-exporter"):
        lanes.append(Lane(BLACKBOX, contenders.blackbox))
    else:
        absent.append(f"{BLACKBOX}: left out, prometheus or its blackbox exporter is absent")
    library = contenders.openssl_of_pycurl()
    if not contenders.is_installed("gcc"):
        absent.append("bare C: left out, gcc is absent")
    else:
        lanes.append(Lane(C_SYSTEM, contenders.bare_c, is_plain=True))
        if library is not None:
            bare_c = partial(contenders.bare_c, library=library)
            lanes.append(Lane(C_SAME, bare_c, is_plain=True))
    return lanes, absent


def measure(lane: Lane, number: int, course: Course, plan: Plan) -> None:
    """Run one contender for one round; raises ``Failed`` if it does not keep the pace."""
    known = course.websites.answered()
    with (
        tempfile.TemporaryDirectory(prefix="fettle-bench-") as folder,
        lane.contender(course, Path(folder)) as processes,
    ):
        wait_for(lambda: course.websites.answered() > known, what=f"{lane.name} begins")
        time.sleep(SETTLES_AT_ONCE if lane.is_plain else plan.settle)
        began = {name: process.cpu_seconds() for name, process in processes.items()}
        answered = course.websites.answered()
        time.sleep(plan.measure)
        probes = course.websites.answered() - answered
        if probes < 0.8 * course.pace * plan.measure:
            outputs = [process.output() for process in processes.values()]
            raise Failed(f"only {probes} probes in {plan.measure:g} s: {outputs}")
        lane.parts[number] = {
            name: (process.cpu_seconds() - began[name]) / probes * 1000
            for name, process in processes.items()
        }
        lane.memory = sum(process.memory()[0] for process in processes.values())


def table(lanes: Sequence[Lane], plan: Plan) -> str:
    """Return the figures and ratios as text."""
    lines = [f"{'':34}{'CPU ms per probe':>18}{'rounds':>28}{'memory':>10}"]
    for lane in lanes:
        if not lane.parts:
            continue
        each = "  ".join(f"{one:.2f}" for one in lane.rounds.values())
        median, memory = statistics.median(lane.rounds.values()), f"{lane.memory / 1e6:.0f} MB"
        lines.append(f"{lane.name:34}{median:>18.3f}{each:>28}{memory:>10}")
        names = next(iter(lane.parts.values()))
        for name in names if len(names) > 1 else ():
            median = statistics.median(parts[name] for parts in lane.parts.values())
            lines.append(f"{'  of this ' + name:34}{median:>18.3f}")
    by_name = {lane.name: lane for lane in lanes}
    lines.append("")
    for one, other, goal in GOALS:
        if one in by_name and other in by_name:
            mine, its = by_name[one].rounds, by_name[other].rounds
            ratios = [mine[number] / its[number] for number in mine if number in its]
            if ratios:
                ratio = statistics.median(ratios)
                lines.append(f"{one} / {other:34}{ratio:>8.2f}   goal {goal}")
    return "\n".join(lines)


def surroundings() -> str:
    """Return what the figures depend on: machine and versions."""

    def first_line(*command: str) -> str:
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return f"{command[0]} absent"
        return ((said.stdout or said.stderr).splitlines() or [""])[0]

    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    machine = f"{len(models)} x {models[0] if models else platform.machine()}"
    machine += f", Linux {platform.release()}, Python {platform.python_version()}"
    return "\n".join(
        (
            machine,
            pycurl.version,
            first_line(find_nginx() or "nginx", "-v"),
            first_line("prometheus-blackbox-exporter", "--version"),
            first_line("prometheus", "--version"),
            first_line("gcc", "--version") + "; " + first_line("openssl", "version"),
        )
    )


def run(plan: Plan) -> str:
    """Run the race; return its table."""
    lanes, absent = line_up()
    with serving_sites(plan.sites, addresses=100) as websites:
        course = Course(websites, plan.interval)
        for number in range(plan.rounds):
            for lane in lanes if number % 2 == 0 else reversed(lanes):
                sys.stderr.write(f"round {number + 1}: {lane.name}\n")
                try:
                    measure(lane, number, course, plan)
                except Failed as failure:
                    absent.append(f"{lane.name}: round {number + 1} does not count: {failure}")
    head = (
        f"{plan.sites} HTTPS sites every {plan.interval} s, {course.pace:g} a second, "
        f"{plan.rounds} rounds of {plan.measure:g} s"
    )
    return "\n".join([surroundings(), "", head, table(lanes, plan), *absent])


def test_processor_time_of_a_probe() -> None:
    """What ``make bench`` runs; it asserts nothing of time."""
    sys.stdout.write(f"\n{run(Plan())}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    arguments = parser.parse_args()
    sys.stdout.write(run(QUICK if arguments.quick else Plan()) + "\n")


if __name__ == "__main__":
    main()
