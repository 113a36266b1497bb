"""Gaps: times in which the process stood still or its host slept, seen from tick to tick."""

from __future__ import annotations

GAP_SECONDS = 5.0
"""Time between two ticks, or a step of the wall clock between them, that makes a gap."""


class Gaps:
    """Counts gaps; ``words`` say what the last one was, as a clause about the prober.

    A host that slept shows as a step of the wall clock, for its monotonic clock slept too. Instants
    are seconds: ``now`` of the monotonic clock, ``wall`` of the wall clock.
    """

    def __init__(self, now: float, wall: float) -> None:
        self._now, self._wall = now, wall
        self.count = 0
        self.words = ""

    def look(self, now: float, wall: float) -> bool:
        """Tell whether a gap lies between this tick and the last one."""
        still = now - self._now
        stepped = wall - self._wall - still
        self._now, self._wall = now, wall
        if still < GAP_SECONDS and abs(stepped) < GAP_SECONDS:
            return False
        self.count += 1
        self.words = (
            f"stood still for {still:.0f} s"
            if still >= GAP_SECONDS
            else f"saw its clock step by {stepped:+.0f} s"
        )
        return True
