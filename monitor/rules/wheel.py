"""When each site is due: one slot per site within its interval, the same after every restart.

Positions on the wheel are whole seconds of an epoch clock that the ticker derives from the
monotonic clock, so a step of the wall clock moves nothing.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from monitor.rules.site import Site


def slot_of(slug: str, interval_seconds: int) -> int:
    """Return the site's second within its interval; it depends on the slug alone."""
    return zlib.crc32(slug.encode()) % interval_seconds


class Wheel:
    """Tells which sites are due between two positions; built from a site list, never changed."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._rings: dict[int, dict[int, list[Site]]] = defaultdict(lambda: defaultdict(list))
        for site in sites:
            seconds = max(1, round(site.interval.total_seconds()))
            self._rings[seconds][slot_of(site.slug, seconds)].append(site)

    def due(self, after: int, until: int) -> tuple[Sequence[Site], int]:
        """Return the sites with a slot in (after, until], each once, and the slots missed.

        A site whose slot came up more than once in the span is due once; the others were missed.
        """
        due: list[Site] = []
        missed = 0
        for seconds, ring in self._rings.items():
            first = max(after + 1, until - seconds + 1)
            for position in range(first, until + 1):
                due.extend(ring.get(position % seconds, ()))
            if first > after + 1:
                missed += self._slots(seconds, ring, after, first - 1)
        return due, missed

    @staticmethod
    def _slots(seconds: int, ring: dict[int, list[Site]], after: int, until: int) -> int:
        count = 0
        for slot, sites in ring.items():
            turns = (until - slot) // seconds - (after - slot) // seconds
            count += turns * len(sites)
        return count
