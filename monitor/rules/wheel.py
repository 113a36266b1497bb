"""When each site is due: one slot per site within its interval, the same after every restart.

Positions on the wheel are whole seconds of an epoch clock that the ticker derives from the
monotonic clock, so a step of the wall clock moves nothing.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.rules.site import Site

STEPS = 20
"""Parts into which a second is cut, so that the sites of one slot do not all start at once."""

LATE_SECONDS = 3
"""How many seconds late a slot may still be probed; older ones are missed."""


def slot_of(slug: str, interval_seconds: int) -> int:
    """Return the site's second within its interval; it depends on the slug alone."""
    return zlib.crc32(slug.encode()) % interval_seconds


def step_of(slug: str) -> int:
    """Return the site's step within its second, below ``STEPS``; it depends on the slug alone."""
    return (zlib.crc32(slug.encode()) >> 8) % STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a turn of the wheel brings: the sites to probe, each once, and slots missed by site."""

    due: Sequence[Site]
    missed: Sequence[tuple[Site, int]]


class Wheel:
    """Tells which sites are due between two positions; built from a site list, never changed."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._rings: dict[int, dict[int, list[Site]]] = defaultdict(lambda: defaultdict(list))
        for site in sites:
            seconds = max(1, round(site.interval.total_seconds()))
            self._rings[seconds][slot_of(site.slug, seconds)].append(site)

    def turn(self, after: int, until: int) -> Turn:
        """Return what the slots in (after, until] bring.

        A site is due if its newest slot is at most ``LATE_SECONDS`` old; every other slot was
        missed. After a long sleep most sites thus wait for their next slot, and none bunch.
        """
        due: list[Site] = []
        missed: list[tuple[Site, int]] = []
        still_due = max(after, until - LATE_SECONDS)
        for seconds, ring in self._rings.items():
            first = max(still_due, until - seconds) + 1
            for position in range(first, until + 1):
                due.extend(ring.get(position % seconds, ()))
            if first > after + 1:
                missed.extend(_missed(seconds, ring, after, first - 1))
        return Turn(due=due, missed=missed)


def _missed(
    seconds: int, ring: dict[int, list[Site]], after: int, until: int
) -> Iterable[tuple[Site, int]]:
    """Yield the sites of ``ring`` that had slots in (after, until], and how many."""
    for slot, sites in ring.items():
        turns = (until - slot) // seconds - (after - slot) // seconds
        if turns:
            for site in sites:
                yield site, turns
