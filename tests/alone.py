"""Probes servers in a process of its own and tells what memory that took at most.

    python -m tests.alone [WELL_URL, [HOSTILE_URL, ...]] as JSON on standard input

The peak is the kernel's VmHWM, which begins anew with each program and can be set back to what is
held at the moment. ``ru_maxrss`` of ``getrusage`` cannot, and a process inherits its parent's, so
that beneath a large test run it would hide whatever grows here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from monitor.prober import Prober
from monitor.rules.observation import Observation
from tests.probing import STARTED_AT, a_site

AT_ONCE = 4


@dataclass(frozen=True)
class Account:
    """Bytes at rest and at most, and per hostile URL the causes of its probes."""

    at_rest: int
    at_most: int
    causes: list[list[str | None]]


def memory(name: str) -> int:
    """Return a figure of this process's memory in bytes; ``name`` as in /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def begin_anew() -> int:
    """Set the peak back to what is held now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


async def probe_all(well: str, hostile: list[str]) -> Account:
    prober = Prober()

    async def look(url: str) -> list[Observation]:
        site = a_site(url, keyword="needle")  # so that the body is decoded and read
        return await asyncio.gather(
            *(prober.probe(site, started_at=STARTED_AT) for _ in range(AT_ONCE))
        )

    for _ in range(3):
        await look(well)
    at_rest = begin_anew()
    causes = [[each.cause for each in await look(url)] for url in hostile]
    at_most = memory("VmHWM")
    await prober.aclose()
    return Account(at_rest, at_most, [[*map(_text, each)] for each in causes])


def _text(cause: object) -> str | None:
    return None if cause is None else str(cause)


if __name__ == "__main__":
    well, hostile = json.load(sys.stdin)
    json.dump(asdict(asyncio.run(probe_all(well, hostile))), sys.stdout)
